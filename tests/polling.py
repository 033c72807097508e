"""Waits for an event in another thread or process, without a fixed pause."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

_SOON_SECONDS, _LATER_SECONDS = 0.01, 0.05
"""The pause between polls, at first and after half a second. Many tests wait at the same time, on few cores."""

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 240.0) -> T:
    """Poll until the condition holds, and return its value.

    Fails after `within` seconds. No machine is so slow: the limit only ends a wait for an event that never happens.
    """
    began = monotonic()
    while not (found := condition()):
        waited = monotonic() - began
        assert waited < within, f"not so within {within} s (last: {found!r})"
        Event().wait(min(max(_SOON_SECONDS, waited / 10), _LATER_SECONDS))
    return found


def soon(act: Callable[[], object], within: float, tries: int = 3) -> None:
    """Call `act` up to `tries` times, and fail unless one call takes less than `within` seconds.

    A machine under load delays one call; a defect delays all.
    """
    began = monotonic()
    act()
    took = monotonic() - began
    if took >= within and tries > 1:
        soon(act, within, tries - 1)
    else:
        assert took < within, f"it took {took:.1f} s"
