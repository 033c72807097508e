"""Dixa's API: one session, one method that touches the wire, always with a timeout, and three kinds of error.

Paths, bodies and answers are those of Dixa's OpenAPI description (version beta).
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import quote, urlencode

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from config.surveys import RatingType
from service.dixa import schemas
from service.dixa.payloads import PayloadError, load_json
from service.sessions import has_never_connected
from service.surveys.ports import (
    Conversation,
    Deadline,
    DixaDown,
    DixaError,
    DixaForbidden,
    DixaRefused,
    DixaUnavailable,
    DixaUnknown,
    Message,
    Page,
    Rating,
    Slot,
    TokenRefused,
)

_LARGEST_ANSWER = 8 * 1024 * 1024
_DEFAULT_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=5)

_ORGANIZATION = "/organization"
"""What every token may ask: a refusal is about the token."""

_PROBE_WAIT = timedelta(seconds=1)
_CONVERSATION = re.compile(r"/conversations/(\d+)")

_REFUSALS = (requests.codes.unauthorized, requests.codes.forbidden)

Result = TypeVar("Result")

Effect = Literal["asks", "acts"]
"""What a lost answer means: a question can be asked again, an action may have happened."""


class Pace(Protocol):
    """What the client needs of the shared pace."""

    def slot(self, deadline: Deadline, patience: timedelta) -> Slot:
        """Wait for a turn, at most `patience`. Raises NoSlot."""

    def pause(self, length: timedelta) -> None:
        """Hold everybody back."""

    def refuse(self, token: str, length: timedelta, problem: str) -> str:
        """Hold back one token, which Dixa refuses, and return what an operator has to mend."""


class TokenCheck(Protocol):
    """What the client needs to know of tokens."""

    def is_taken(self, token: str, ask: Callable[[], bool]) -> bool:
        """Return whether Dixa takes the token, by asking if need be. Raises DixaUnavailable."""


class Outage(Protocol):
    """What the client needs to know of Dixa as a whole."""

    def failed(self, conversation_id: int, problem: str) -> timedelta | None:
        """Count a call that failed; how long to wait if Dixa is down."""

    def answered(self) -> None:
        """Count a call that Dixa has answered."""

    def begin_probe(self) -> timedelta | None:
        """Return how long to wait while Dixa is down; zero is leave to look whether it is back."""

    def downtime(self, since: datetime) -> timedelta:
        """Return for how long Dixa was down from then on."""


class DixaClient:
    """Typed calls. Each raises DixaUnavailable, DixaUnknown (actions only) or DixaRefused unless it succeeded."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        pace: Pace,
        token_check: TokenCheck,
        *,
        outage: Outage | None = None,
        token_pause: timedelta = timedelta(minutes=1),
    ) -> None:
        self._outage = outage
        self._token_check = token_check
        self._token_pause = token_pause
        self._session = session
        self._base_url = base_url
        self._pace = pace

    def slot(self, deadline: Deadline, patience: timedelta) -> Slot:
        """Take a turn of the shared pace, waiting at most `patience` for the deadline's first.

        Raises NoSlot, or DixaDown while Dixa is down. Whoever may looks first whether it is back.
        """
        wait = self._outage.begin_probe() if self._outage else None
        if wait is not None:
            self._look_whether_it_is_back(deadline, wait)
        return self._pace.slot(deadline, patience)

    def downtime(self, since: datetime) -> timedelta:
        """Return for how long Dixa was down from then on."""
        return self._outage.downtime(since) if self._outage else timedelta()

    def _look_whether_it_is_back(self, deadline: Deadline, wait: timedelta) -> None:
        """Ask a question that changes nothing. Raises DixaDown unless Dixa is back."""
        if wait or deadline.conversation_id is None:
            raise DixaDown("Dixa is down", max(wait, _PROBE_WAIT))
        with suppress(DixaRefused):
            self.conversation(self._pace.slot(deadline, _PROBE_WAIT), deadline.conversation_id)

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation:
        """`GET /conversations/{id}`."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}")
        return _read(schemas.load_conversation, body, "asks")

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]:
        """`GET /conversations/{id}/ratings`."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/ratings")
        return _read(schemas.load_ratings, body, "asks")

    def offer(
        self,
        slot: Slot,
        conversation_id: int,
        rating: RatingType,
        *,
        user_id: str,
        agent_id: str | None,
        offered_at: datetime,
    ) -> str:
        """`POST /conversations/{id}/ratings/offer`; returns the rating id."""
        sent = schemas.dump_offer(rating, user_id=user_id, agent_id=agent_id, offered_at=offered_at)
        body = self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/ratings/offer", sent)
        return _read(schemas.load_offer_id, body, "acts")

    def submit(
        self,
        slot: Slot,
        conversation_id: int,
        rating_id: str,
        *,
        rating: RatingType,
        score: int,
        comment: str,
        submitted_at: datetime,
    ) -> None:
        """`POST /conversations/{id}/ratings/{ratingId}/submit`."""
        sent = schemas.dump_result(rating, score=score, comment=comment, submitted_at=submitted_at)
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/ratings/{rating_id}/submit", sent)

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        """`GET /conversations/{id}/messages`, oldest first."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/messages")
        return _read(schemas.load_messages, body, "asks")

    def conversation_tags(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/tags`: their names."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/tags")
        return _read(schemas.load_conversation_tags, body, "asks")

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """`POST /conversations/{id}/messages`, outbound. A second one with the same `external_id` is a 400."""
        sent = schemas.dump_message(agent_id, text, external_id=external_id, kind=kind)
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/messages", sent)

    def close(self, slot: Slot, conversation_id: int, *, user_id: str) -> None:
        """`PUT /conversations/{id}/close`."""
        self._call(slot, "acts", "PUT", f"/conversations/{conversation_id}/close", {"userId": user_id})

    def notes(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/notes`: what they say."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/notes")
        return _read(schemas.load_notes, body, "asks")

    def add_note(self, slot: Slot, conversation_id: int, text: str) -> None:
        """`POST /conversations/{id}/notes`."""
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/notes", {"message": text})

    def tags(self, slot: Slot) -> dict[str, str]:
        """`GET /tags`: the ids of the organization's active tags, by name."""
        return _read(schemas.load_tags, self._call(slot, "asks", "GET", "/tags"), "asks")

    def add_tag(self, slot: Slot, conversation_id: int, tag_id: str) -> None:
        """`PUT /conversations/{id}/tags/{tagId}`."""
        self._call(slot, "acts", "PUT", f"/conversations/{conversation_id}/tags/{quote(tag_id, safe='')}")

    def closed_between(self, slot: Slot, since: datetime, until: datetime, page_key: str | None = None) -> Page:
        """`POST /search/conversations`, a page at a time. It only asks, whatever its method."""
        path = "/search/conversations" + (f"?{urlencode({'pageKey': page_key})}" if page_key else "")
        body = self._call(slot, "asks", "POST", path, schemas.dump_search(since, until))
        return _read(schemas.load_page, body, "asks")

    def queues(self, slot: Slot) -> dict[str, str]:
        """`GET /queues`: the names by the ids."""
        return _read(schemas.load_queues, self._call(slot, "asks", "GET", "/queues"), "asks")

    def organization_name(self, slot: Slot) -> str:
        """`GET /organization`: whose token this is."""
        return _read(schemas.load_organization_name, self._call(slot, "asks", "GET", _ORGANIZATION), "asks")

    def _call(self, slot: Slot, effect: Effect, method: str, path: str, sent: dict[str, Any] | None = None) -> bytes:
        """Make one request and return the answer's body."""
        try:
            answer, body = self._send(slot, method, path, sent)
        except (requests.RequestException, HTTPError) as error:
            raise self._judge(path, _lost(error, effect)) from error
        if _is_success(answer):
            self._count_answer(path)
            return body
        if answer.status_code == requests.codes.too_many_requests:
            pause = _retry_after(answer.headers.get("Retry-After"))
            self._pace.pause(pause)
            raise DixaUnavailable(_say(answer), pause)
        if answer.status_code in _REFUSALS:
            self._count_answer(path)
            raise self._refused(slot, path, answer.status_code)
        raise self._judge(path, _failure(answer, effect))

    def _count_answer(self, path: str) -> None:
        if self._outage and _CONVERSATION.match(path):
            self._outage.answered()

    def _judge(self, path: str, error: DixaError) -> DixaError:
        """Count the failure of a call about a conversation, and return it, or that Dixa as a whole is down."""
        about = _CONVERSATION.match(path)
        if about is None or self._outage is None:
            return error
        if isinstance(error, DixaRefused):
            self._outage.answered()
            return error
        wait = self._outage.failed(int(about[1]), str(error))
        # What may have happened is to be looked for, whether Dixa is down or not.
        return error if wait is None or isinstance(error, DixaUnknown) else DixaDown(f"Dixa is down: {error}", wait)

    def _send(
        self, slot: Slot, method: str, path: str, sent: dict[str, Any] | None = None
    ) -> tuple[requests.Response, bytes]:
        """Make one request. The only place that touches the wire."""
        left = slot.deadline.remaining()
        if not left:
            # A process that stood still since it took its slot must not act on what it knew then.
            raise DixaUnavailable("too late to begin")
        with self._session.request(
            method,
            self._base_url + path,
            json=sent,
            headers={"Authorization": slot.token, "Accept": "application/json"},
            timeout=left,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return answer, _read_body(answer)

    def _refused(self, slot: Slot, path: str, status: int) -> Exception:
        """Find out whether the token is refused, or only this call. Raises DixaUnavailable while that isn't known."""
        problem = f"Dixa answered {status}"
        if path != _ORGANIZATION and self._token_check.is_taken(slot.token, lambda: self._is_taken(slot)):
            return DixaForbidden(
                f"{problem} to this call alone: it takes the token of DIXA_API_TOKEN otherwise", status
            )
        # An operator's to mend; surveys wait for it unless there are other tokens, and one call a minute looks.
        return TokenRefused(self._pace.refuse(slot.token, self._token_pause, problem), timedelta())

    def _is_taken(self, slot: Slot) -> bool:
        """Ask about the token itself, beside the pace: it is once a minute, and Dixa's limit leaves room for that."""
        try:
            answer, _ = self._send(slot, "GET", _ORGANIZATION)
        except (requests.RequestException, HTTPError) as error:
            raise DixaUnavailable(
                f"a call was refused, and the token can't be asked: {describe_failure(error)}"
            ) from error
        if answer.status_code in _REFUSALS:
            return False
        if not _is_success(answer):
            raise DixaUnavailable(f"a call was refused, and the token can't be asked: {answer.status_code}")
        return True


def _say(answer: requests.Response) -> str:
    return f"Dixa answered {answer.status_code}"


def _failure(answer: requests.Response, effect: Effect) -> DixaUnavailable | DixaUnknown | DixaRefused:
    """Divide an answer that isn't a success by what to do next."""
    status = answer.status_code
    if status == requests.codes.proxy_authentication_required:
        return DixaUnavailable(f"a proxy before Dixa answered {status}")
    if 400 <= status < 500 and status != requests.codes.request_timeout:  # noqa: PLR2004 - HTTP's own classes
        return DixaRefused(_say(answer), status)
    return DixaUnknown(_say(answer)) if effect == "acts" else DixaUnavailable(_say(answer))


def _lost(error: requests.RequestException | HTTPError, effect: Effect) -> DixaUnavailable | DixaUnknown:
    """Divide a request without an answer by whether it can have reached Dixa. The text names no URL."""
    problem = describe_failure(error)
    if effect == "asks" or has_never_connected(error):
        return DixaUnavailable(problem)
    return DixaUnknown(problem)


def _read_body(answer: requests.Response) -> bytes:
    """Read an answer, in the time that `service.sessions` gives it, and no more of it than one may have."""
    chunks, size = [], 0
    # `iter_content` would wait for a whole chunk, however slowly that drips in.
    while chunk := answer.raw.read1(64 * 1024, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST_ANSWER:
            raise requests.ReadTimeout
    return b"".join(chunks)


def _is_success(answer: requests.Response) -> bool:
    """A redirect isn't: what was asked has not been done here."""
    return 200 <= answer.status_code < 300  # noqa: PLR2004 - HTTP's own classes


def _read(load: Callable[[Any], Result], body: bytes, effect: Effect) -> Result:
    """Turn an answer into what it means. One that can't be read tells nothing of what happened."""
    try:
        return load(load_json(body))
    except PayloadError as error:
        problem = f"Dixa's answer can't be read: {error}"
        raise (DixaUnknown(problem) if effect == "acts" else DixaUnavailable(problem)) from error


def _retry_after(header: str | None) -> timedelta:
    """Read `Retry-After` in seconds; none is documented, so a date or nonsense counts as the default."""
    if header and header.isascii() and header.isdigit() and len(header) < 6:  # noqa: PLR2004 - under a day or so
        return min(timedelta(seconds=int(header)), _LONGEST_PAUSE)
    return _DEFAULT_PAUSE
