"""Counts the calls to Dixa by outcome. Each report of the process passes the numbers on, for `/metrics`."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from threading import Lock


class CallOutcome(StrEnum):
    """What became of a call."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    """A 429."""
    UNAUTHORIZED = "unauthorized"
    """A 401 or 403: about the token, or about this call."""
    REFUSED = "refused"
    """Another 4xx, such as the 404 of a deleted conversation. It would be refused again."""
    ERROR = "error"
    """A 5xx, a redirect, or a failure of a proxy before Dixa."""
    UNREADABLE = "unreadable"
    """A success in another format than Dixa's, such as a maintenance page."""
    NO_RESPONSE = "no_response"
    """No connection, or no response in time."""


class CallCounts:
    """The calls of this process since its start."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._lock = Lock()

    def count(self, outcome: CallOutcome) -> None:
        """Count a call."""
        with self._lock:
            self._counts[outcome] += 1

    def totals(self) -> Mapping[str, int]:
        """Return the calls by outcome."""
        with self._lock:
            return dict(self._counts)


def outcome_of(status: int) -> CallOutcome:
    """Return the outcome of a call by the status of its response."""
    return _SPECIAL.get(status) or {2: CallOutcome.OK, 4: CallOutcome.REFUSED}.get(status // 100, CallOutcome.ERROR)


_SPECIAL: Mapping[int, CallOutcome] = {
    HTTPStatus.UNAUTHORIZED: CallOutcome.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: CallOutcome.UNAUTHORIZED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: CallOutcome.ERROR,
    HTTPStatus.REQUEST_TIMEOUT: CallOutcome.ERROR,
    HTTPStatus.TOO_MANY_REQUESTS: CallOutcome.RATE_LIMITED,
}
