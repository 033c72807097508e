"""Sends requests to Dixa, and turns each failure into an error about the call, its token, or Dixa as a whole."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from service.dixa.call_counts import CallCounts, CallOutcome, outcome_of
from service.dixa.errors import DixaDown, TokenRefused
from service.dixa.outage import Outage
from service.dixa.payloads import PayloadError, load_json
from service.dixa.token_check import TokenCheck
from service.sessions import has_never_connected
from service.surveys.errors import CallError, Forbidden, OutcomeUnknown, Refused, RetryLater
from service.surveys.ports import FIRST_SLOT_MAX_WAIT, Deadline, Slot

_MAX_RESPONSE_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_DEFAULT_PAUSE = timedelta(seconds=2)
_MAX_PAUSE = timedelta(minutes=5)
_MAX_RETRY_AFTER_DIGITS = 5

ORGANIZATION = "/organization"
"""Every token may call this, so a refusal is about the token."""

_PROBE_WAIT = timedelta(seconds=1)
_CONVERSATION = re.compile(r"/conversations/(\d+)")

_REFUSALS = (requests.codes.unauthorized, requests.codes.forbidden)

Effect = Literal["query", "command"]
"""A query can be repeated without harm. After a lost response, a command may have been executed."""


class Pace(Protocol):
    """The shared rate limit."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta, outage_keys: Sequence[str] = ()) -> Slot:
        """Take a slot, waiting at most `max_wait`. Raises NoSlot, or with keys of the outage DixaDown during one."""

    def pause(self, length: timedelta) -> None:
        """Pause all tokens."""

    def cool_down(self, token: str, length: timedelta, problem: str) -> str:
        """Begin the cooldown of a token refused by Dixa, and return the problem for an operator."""


class Transport:
    """Makes calls. Each raises RetryLater, OutcomeUnknown (commands only) or Refused unless it succeeds."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        pace: Pace,
        token_check: TokenCheck,
        *,
        outage: Outage | None = None,
        token_retry_after: timedelta = timedelta(minutes=1),
        counts: CallCounts | None = None,
    ) -> None:
        self._outage = outage
        self._counts = counts or CallCounts()
        self._token_check = token_check
        self._token_retry_after = token_retry_after
        self._session = session
        self._base_url = base_url
        self._pace = pace
        self._date = ""

    def take_slot(self, deadline: Deadline, max_wait: timedelta = FIRST_SLOT_MAX_WAIT) -> Slot:
        """Take a slot of the rate limit, waiting at most `max_wait` for the first one of the deadline's claim.

        Raises NoSlot, or DixaDown during an outage. A claim with permission to probe Dixa does so first.
        """
        if self._outage is None:
            return self._pace.take_slot(deadline, max_wait)
        while True:
            with suppress(DixaDown):
                return self._pace.take_slot(deadline, max_wait, self._outage.keys)
            # Otherwise the outage has just ended.
            if (wait := self._outage.begin_probe()) is not None:
                self._probe(deadline, wait)

    @property
    def date(self) -> datetime | None:
        """Dixa's time at the last response, to the second, or None if it didn't tell."""
        try:
            return parsedate_to_datetime(self._date).astimezone(UTC)
        except ValueError:
            return None

    def downtime(self, since: datetime) -> timedelta:
        """Return the total length of outages since a time."""
        return self._outage.downtime(since) if self._outage else timedelta()

    def _probe(self, deadline: Deadline, wait: timedelta) -> None:
        """Query the claim's conversation. Raises DixaDown if Dixa fails, or if the claim may not probe now."""
        if wait or deadline.conversation_id is None:
            raise DixaDown("Dixa is down", max(wait, _PROBE_WAIT))
        with suppress(Refused):
            slot = self._pace.take_slot(deadline, _PROBE_WAIT)
            self._call(slot, "query", "GET", f"/conversations/{deadline.conversation_id}")

    def _call(self, slot: Slot, effect: Effect, method: str, path: str, sent: dict[str, Any] | None = None) -> Any:
        """Make one request and return the response's JSON, or None for an empty body."""
        try:
            response, body = self._send(slot, method, path, sent)
        except (requests.RequestException, HTTPError) as error:
            self._counts.count(CallOutcome.NO_RESPONSE)
            raise self._count_failure(slot, path, _lost(error, effect)) from error
        self._date = response.headers.get("Date", "")
        try:
            found = _load_body(response, body)
        except PayloadError:
            self._counts.count(CallOutcome.UNREADABLE)
            problem = f"{_describe(response)}, but not in Dixa's format"
            raise self._count_failure(slot, path, _outcome_unknown(problem, effect)) from None
        self._counts.count(outcome_of(response.status_code))
        if _is_success(response):
            self._count_response(slot, path)
            return found
        if response.status_code == requests.codes.too_many_requests:
            pause = _retry_after(response.headers.get("Retry-After"))
            self._pace.pause(pause)
            raise RetryLater(_describe(response), pause)
        if response.status_code in _REFUSALS:
            self._count_response(slot, path)
            raise self._refusal(slot, path, response.status_code)
        raise self._count_failure(slot, path, _failure(response, effect))

    def _count_response(self, slot: Slot, path: str) -> None:
        if self._outage and _CONVERSATION.match(path):
            self._outage.count_response(may_follow_failure=slot.may_follow_failure)

    def _count_failure(self, slot: Slot, path: str, error: CallError) -> CallError:
        """Count a failed call about a conversation. Return its error, or DixaDown during an outage."""
        about = _CONVERSATION.match(path)
        if about is None or self._outage is None:
            return error
        if isinstance(error, Refused):
            self._count_response(slot, path)
            return error
        wait = self._outage.count_failure(int(about[1]), str(error))
        # DixaDown would claim: nothing has happened. A command with an unknown outcome must be reconciled.
        return error if wait is None or isinstance(error, OutcomeUnknown) else DixaDown(f"Dixa is down: {error}", wait)

    def _send(
        self, slot: Slot, method: str, path: str, sent: dict[str, Any] | None = None
    ) -> tuple[requests.Response, bytes]:
        """Make one request. All requests to Dixa are made here."""
        left = slot.deadline.remaining()
        if not left:
            # The process may have been frozen since it took the slot. Its facts are outdated then, so it must not act.
            raise RetryLater("too late to begin")
        with self._session.request(
            method,
            self._base_url + path,
            json=sent,
            headers={"Authorization": slot.token, "Accept": "application/json"},
            timeout=left,
            allow_redirects=False,
            stream=True,
        ) as response:
            return response, _read_body(response)

    def _refusal(self, slot: Slot, path: str, status: int) -> Exception:
        """Return the error for a 401 or 403: about this call, or about the token, whose cooldown begins then.

        Raises RetryLater while that is unknown.
        """
        problem = f"Dixa returned {status}"
        if path != ORGANIZATION and self._token_check.check(slot.token, lambda: self._is_valid(slot)):
            return Forbidden(f"{problem} to this call alone: it accepts the token of DIXA_API_TOKEN otherwise", status)
        return TokenRefused(self._pace.cool_down(slot.token, self._token_retry_after, problem), timedelta())

    def _is_valid(self, slot: Slot) -> bool:
        """Query whether Dixa accepts the token. Takes no slot: TokenCheck makes it rare."""
        try:
            response, _ = self._send(slot, "GET", ORGANIZATION)
        except (requests.RequestException, HTTPError) as error:
            self._counts.count(CallOutcome.NO_RESPONSE)
            raise RetryLater(
                f"a call was refused, and the token can't be checked: {describe_failure(error)}"
            ) from error
        self._counts.count(outcome_of(response.status_code))
        if response.status_code in _REFUSALS:
            return False
        if not _is_success(response):
            raise RetryLater(f"a call was refused, and the token can't be checked: {response.status_code}")
        return True


def _describe(response: requests.Response) -> str:
    return f"Dixa returned {response.status_code}"


def _load_body(response: requests.Response, body: bytes) -> dict[str, Any] | None:
    """Return the JSON of a success or a 404; None for an empty body, or another status.

    Dixa's bodies are empty or a JSON object. On success the object has `data`. Raises PayloadError for all others, of a
    proxy or a maintenance page in front of Dixa.
    """
    if not body or not (_is_success(response) or response.status_code == requests.codes.not_found):
        return None
    found = load_json(body)
    if not isinstance(found, dict) or ("data" not in found and _is_success(response)):
        raise PayloadError("The body is not in Dixa's format.")
    return found


def _outcome_unknown(problem: str, effect: Effect) -> RetryLater | OutcomeUnknown:
    """Return the error for a request with an unknown outcome."""
    return OutcomeUnknown(problem) if effect == "command" else RetryLater(problem)


def _failure(response: requests.Response, effect: Effect) -> RetryLater | OutcomeUnknown | Refused:
    """Return the error for a response without success."""
    status = response.status_code
    if status == requests.codes.proxy_authentication_required:
        return RetryLater(f"a proxy before Dixa returned {status}")
    if 400 <= status < 500 and status != requests.codes.request_timeout:  # noqa: PLR2004 - HTTP's own classes
        return Refused(_describe(response), status)
    return _outcome_unknown(_describe(response), effect)


def _lost(error: requests.RequestException | HTTPError, effect: Effect) -> RetryLater | OutcomeUnknown:
    """Return the error for a request without a response. Its text contains no URL."""
    problem = describe_failure(error)
    return RetryLater(problem) if has_never_connected(error) else _outcome_unknown(problem, effect)


def _read_body(response: requests.Response) -> bytes:
    """Read the body. `service.sessions` limits the time; here the size is limited."""
    chunks, size = [], 0
    # `iter_content` would block until a chunk is full. `read1` returns after each read, so the size is checked early.
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > _MAX_RESPONSE_BYTES:
            raise requests.ReadTimeout
    return b"".join(chunks)


def _is_success(response: requests.Response) -> bool:
    """Return whether the status is a 2xx. A redirect is not followed, so nothing has been done."""
    return 200 <= response.status_code < 300  # noqa: PLR2004 - HTTP's own classes


def _retry_after(header: str | None) -> timedelta:
    """Parse `Retry-After` in seconds. Dixa documents none, so a date or a malformed value counts as the default."""
    if header and header.isascii() and header.isdigit() and len(header) <= _MAX_RETRY_AFTER_DIGITS:
        return min(timedelta(seconds=int(header)), _MAX_PAUSE)
    return _DEFAULT_PAUSE
