"""Waits for what another thread or process is about to do, without a fixed pause."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

_POLL_SECONDS = 0.01

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 240.0) -> T:
    """Ask until the condition holds, and return what it gave.

    Fails after `within` seconds, which no machine takes: it only ends a wait for what never comes.
    """
    deadline = monotonic() + within
    while not (found := condition()):
        assert monotonic() < deadline, f"not so within {within} s (last: {found!r})"
        Event().wait(_POLL_SECONDS)
    return found


def soon(act: Callable[[], object], within: float, tries: int = 3) -> None:
    """Act, and fail unless it takes less than `within` seconds in one of the tries.

    A machine that stands still for a moment spoils one; what is wrong with us spoils all.
    """
    began = monotonic()
    act()
    took = monotonic() - began
    if took >= within and tries > 1:
        soon(act, within, tries - 1)
    else:
        assert took < within, f"it took {took:.1f} s"
