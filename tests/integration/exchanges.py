"""The exchanges between Afterword and the sandboxes, one of each shape, checked against Dixa's description.

The shape consists of the fields, their types, and the values of enumerations. Forty offers with different ids have one
shape: checking each against the description would be slow.
"""

import re
from threading import Lock
from typing import Any

from service.sandbox.dixa.model import Exchange
from tests.openapi import Description

_ENUMERATIONS = {
    "_type",
    "channel",
    "direction",
    "language",
    "ratingScore",
    "ratingStatus",
    "ratingType",
    "state",
    "value",
}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b\d+\b")


class Exchanges:
    """Collects exchanges from the sandboxes' threads. `check` raises AssertionError if a new one is wrong."""

    def __init__(self, description: Description | None) -> None:
        self.description = description
        self.calls: set[str] = set()
        """The checked calls of Afterword's client."""
        self._known: set[Any] = set()
        self._new: list[Exchange] = []
        self._lock = Lock()

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange of a new shape."""
        shape = _shape(exchange)
        with self._lock:
            if shape not in self._known:
                self._known.add(shape)
                self._new.append(exchange)

    def check(self) -> None:
        """Check new exchanges against the description, if the file exists."""
        with self._lock:
            new, self._new = self._new, []
        if self.description is None:
            return
        for exchange in new:
            self.description.check_response(exchange)
            if is_from_afterword(exchange):
                self.description.check_request(exchange)
                self.calls.add(exchange.call)


def is_from_afterword(exchange: Exchange) -> bool:
    """Return whether Afterword's client made this call. Calls of a test may be wrong."""
    return exchange.headers.get("User-Agent", "").startswith("afterword/")


def _shape(exchange: Exchange) -> Any:
    kind = exchange.headers.get("Content-Type")
    request, response = _outline(exchange.request_json), _outline(exchange.response_json)
    path = _ID.sub("*", exchange.path)
    return exchange.method, path, exchange.status, is_from_afterword(exchange), kind, request, response


def _outline(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return tuple(sorted((key, _outline(inner, key)) for key, inner in value.items()))
    if isinstance(value, list):
        return frozenset(_outline(inner, name) for inner in value)
    if name in _ENUMERATIONS and isinstance(value, str | int) and len(str(value)) < 30:
        return repr(value)
    return type(value).__name__
