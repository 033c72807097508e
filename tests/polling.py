"""Waits for an event in another thread or process, without a fixed pause."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

_POLL_SECONDS = 0.01

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 240.0) -> T:
    """Poll until the condition holds, and return its value.

    Fails after `within` seconds. No machine is so slow: the limit only ends a wait for an event that never comes.
    """
    deadline = monotonic() + within
    while not (found := condition()):
        assert monotonic() < deadline, f"not so within {within} s (last: {found!r})"
        Event().wait(_POLL_SECONDS)
    return found


def soon(act: Callable[[], object], within: float, tries: int = 3) -> None:
    """Act, and fail unless one of the tries takes less than `within` seconds.

    A machine under load spoils one try; a fault of ours spoils all.
    """
    began = monotonic()
    act()
    took = monotonic() - began
    if took >= within and tries > 1:
        soon(act, within, tries - 1)
    else:
        assert took < within, f"it took {took:.1f} s"
