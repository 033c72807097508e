"""The wire to Dixa: one method that touches it, always with a timeout, and what a failure means, for whom.

A failure is about a call, about its token, or about Dixa as a whole; what follows from each differs.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from service.dixa.errors import DixaDown, TokenRefused
from service.dixa.payloads import PayloadError, load_json
from service.sessions import has_never_connected
from service.surveys.errors import CallError, Forbidden, OutcomeUnknown, Refused, RetryLater
from service.surveys.ports import Deadline, Slot

_LARGEST_ANSWER = 8 * 1024 * 1024
_DEFAULT_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=5)

ORGANIZATION = "/organization"
"""What every token may ask: a refusal is about the token."""

_PROBE_WAIT = timedelta(seconds=1)
_CONVERSATION = re.compile(r"/conversations/(\d+)")

_REFUSALS = (requests.codes.unauthorized, requests.codes.forbidden)

Effect = Literal["asks", "acts"]
"""What a lost answer means: a question can be asked again, an action may have happened."""


class Pace(Protocol):
    """What the client needs of the shared pace."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Wait for a turn, at most `max_wait`. Raises NoSlot."""

    def pause(self, length: timedelta) -> None:
        """Hold everybody back."""

    def refuse(self, token: str, length: timedelta, problem: str) -> str:
        """Hold back one token, which Dixa refuses, and return what an operator has to mend."""


class TokenCheck(Protocol):
    """What the client needs to know of tokens."""

    def check(self, token: str, query: Callable[[], bool]) -> bool:
        """Return whether Dixa takes the token, by asking if need be. Raises RetryLater."""


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


class Wire:
    """Makes calls. Each raises RetryLater, OutcomeUnknown (actions only) or Refused unless it succeeded."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        pace: Pace,
        token_check: TokenCheck,
        *,
        outage: Outage | None = None,
        token_retry_after: timedelta = timedelta(minutes=1),
    ) -> None:
        self._outage = outage
        self._token_check = token_check
        self._token_retry_after = token_retry_after
        self._session = session
        self._base_url = base_url
        self._pace = pace

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Take a turn of the shared pace, waiting at most `max_wait` for the deadline's first.

        Raises NoSlot, or DixaDown while Dixa is down. Whoever may looks first whether it is back.
        """
        while self._outage and (wait := self._outage.begin_probe()) is not None:
            self._look_whether_it_is_back(deadline, wait)
        return self._pace.take_slot(deadline, max_wait)

    def downtime(self, since: datetime) -> timedelta:
        """Return for how long Dixa was down from then on."""
        return self._outage.downtime(since) if self._outage else timedelta()

    def _look_whether_it_is_back(self, deadline: Deadline, wait: timedelta) -> None:
        """Ask a question that changes nothing. Raises DixaDown unless Dixa answers."""
        if wait or deadline.conversation_id is None:
            raise DixaDown("Dixa is down", max(wait, _PROBE_WAIT))
        with suppress(Refused):
            slot = self._pace.take_slot(deadline, _PROBE_WAIT)
            self._call(slot, "asks", "GET", f"/conversations/{deadline.conversation_id}")

    def _call(self, slot: Slot, effect: Effect, method: str, path: str, sent: dict[str, Any] | None = None) -> Any:
        """Make one request and return what the answer says; None if that is nothing."""
        try:
            answer, body = self._send(slot, method, path, sent)
        except (requests.RequestException, HTTPError) as error:
            raise self._judge(path, _lost(error, effect)) from error
        if not _is_dixas(answer, body):
            raise self._judge(path, _no_answer(f"{_say(answer)}, and not as Dixa does", effect))
        if _is_success(answer):
            self._count_answer(path)
            return load_json(body) if body else None
        if answer.status_code == requests.codes.too_many_requests:
            pause = _retry_after(answer.headers.get("Retry-After"))
            self._pace.pause(pause)
            raise RetryLater(_say(answer), pause)
        if answer.status_code in _REFUSALS:
            self._count_answer(path)
            raise self._refused(slot, path, answer.status_code)
        raise self._judge(path, _failure(answer, effect))

    def _count_answer(self, path: str) -> None:
        if self._outage and _CONVERSATION.match(path):
            self._outage.answered()

    def _judge(self, path: str, error: CallError) -> CallError:
        """Count the failure of a call about a conversation, and return it, or that Dixa as a whole is down."""
        about = _CONVERSATION.match(path)
        if about is None or self._outage is None:
            return error
        if isinstance(error, Refused):
            self._outage.answered()
            return error
        wait = self._outage.failed(int(about[1]), str(error))
        # What may have happened is to be looked for, whether Dixa is down or not.
        return error if wait is None or isinstance(error, OutcomeUnknown) else DixaDown(f"Dixa is down: {error}", wait)

    def _send(
        self, slot: Slot, method: str, path: str, sent: dict[str, Any] | None = None
    ) -> tuple[requests.Response, bytes]:
        """Make one request. The only place that touches the wire."""
        left = slot.deadline.remaining()
        if not left:
            # A process that stood still since it took its slot must not act on what it knew then.
            raise RetryLater("too late to begin")
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
        """Find out whether the token is refused, or only this call. Raises RetryLater while that isn't known."""
        problem = f"Dixa returned {status}"
        if path != ORGANIZATION and self._token_check.check(slot.token, lambda: self._is_taken(slot)):
            return Forbidden(f"{problem} to this call alone: it takes the token of DIXA_API_TOKEN otherwise", status)
        # An operator's to mend; surveys wait for it unless there are other tokens, and one call a minute looks.
        return TokenRefused(self._pace.refuse(slot.token, self._token_retry_after, problem), timedelta())

    def _is_taken(self, slot: Slot) -> bool:
        """Ask about the token itself, beside the pace: it is once a minute, and Dixa's limit leaves room for that."""
        try:
            answer, _ = self._send(slot, "GET", ORGANIZATION)
        except (requests.RequestException, HTTPError) as error:
            raise RetryLater(f"a call was refused, and the token can't be asked: {describe_failure(error)}") from error
        if answer.status_code in _REFUSALS:
            return False
        if not _is_success(answer):
            raise RetryLater(f"a call was refused, and the token can't be asked: {answer.status_code}")
        return True


def _say(answer: requests.Response) -> str:
    return f"Dixa returned {answer.status_code}"


def _is_dixas(answer: requests.Response, body: bytes) -> bool:
    """Say whether a yes, or a 404, is Dixa's own, and not that of whoever stands before it.

    What Dixa says has an object around it, with `data` in it if that is yes; some calls are answered with nothing.
    """
    if not body or not (_is_success(answer) or answer.status_code == requests.codes.not_found):
        return True
    try:
        found = load_json(body)
    except PayloadError:
        return False
    return isinstance(found, dict) and ("data" in found or not _is_success(answer))


def _no_answer(problem: str, effect: Effect) -> RetryLater | OutcomeUnknown:
    """Make an error of a call that Dixa has not answered, though it may have heard it."""
    return OutcomeUnknown(problem) if effect == "acts" else RetryLater(problem)


def _failure(answer: requests.Response, effect: Effect) -> RetryLater | OutcomeUnknown | Refused:
    """Divide an answer that isn't a success by what to do next."""
    status = answer.status_code
    if status == requests.codes.proxy_authentication_required:
        return RetryLater(f"a proxy before Dixa returned {status}")
    if 400 <= status < 500 and status != requests.codes.request_timeout:  # noqa: PLR2004 - HTTP's own classes
        return Refused(_say(answer), status)
    return _no_answer(_say(answer), effect)


def _lost(error: requests.RequestException | HTTPError, effect: Effect) -> RetryLater | OutcomeUnknown:
    """Divide a request without an answer by whether it can have reached Dixa. The text names no URL."""
    problem = describe_failure(error)
    if effect == "asks" or has_never_connected(error):
        return RetryLater(problem)
    return OutcomeUnknown(problem)


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


def _retry_after(header: str | None) -> timedelta:
    """Read `Retry-After` in seconds; none is documented, so a date or nonsense counts as the default."""
    if header and header.isascii() and header.isdigit() and len(header) < 6:  # noqa: PLR2004 - under a day or so
        return min(timedelta(seconds=int(header)), _LONGEST_PAUSE)
    return _DEFAULT_PAUSE
