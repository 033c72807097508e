"""Waits for what another thread or process is about to do, without a fixed pause."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

_POLL_SECONDS = 0.01

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 5.0) -> T:
    """Ask until the condition holds, and return what it gave. Fails after `within` seconds."""
    deadline = monotonic() + within
    while not (found := condition()):
        assert monotonic() < deadline, f"not so within {within} s (last: {found!r})"
        Event().wait(_POLL_SECONDS)
    return found
