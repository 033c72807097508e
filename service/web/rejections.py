"""Counts rejected requests, since a flood must not fill the log: one line for the first of a kind, then one a minute.

Hints at a fault of ours, such as a wrong clock or secret, are also kept for `afterword doctor` and `/readyz`.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from threading import Lock, Timer
from time import monotonic
from typing import Any

import structlog

log = structlog.get_logger()

_MAX_KINDS = 50
"""In one minute. Further kinds are counted together."""

_HOUR = 3600.0
_MAX_HINTS = 1000


class Rejections:
    """The rejections of this process."""

    def __init__(self, every: timedelta = timedelta(minutes=1)) -> None:
        self._every = every.total_seconds()
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._hints: deque[tuple[float, str]] = deque(maxlen=_MAX_HINTS)

    def note(self, event: str, problem: str, **facts: Any) -> None:
        """Log the first rejection of a kind in a minute with its `facts`, and count the others."""
        with self._lock:
            kind = (event, problem)
            if kind not in self._counts and len(self._counts) >= _MAX_KINDS:
                kind, facts = (event, "other"), {}
            is_first = kind not in self._counts
            self._counts[kind] += 0 if is_first else 1
        if is_first:
            log.warning(kind[0], problem=kind[1], **facts)
            self._later(lambda: self._report(kind))

    def suspect(self, hint: str) -> None:
        """Keep a hint at a fault of ours for an hour. It names the thing to check."""
        self._hints.append((monotonic(), hint))

    def suspicions(self) -> dict[str, int]:
        """Return the hints of the last hour with their counts. Only the last thousand are kept."""
        since = monotonic() - _HOUR
        return dict(Counter(hint for at, hint in list(self._hints) if at >= since))

    def _report(self, kind: tuple[str, str]) -> None:
        with self._lock:
            times = self._counts.pop(kind)
            if times:
                self._counts[kind] = 0
        if times:
            log.warning(kind[0], problem=kind[1], times=times, within_seconds=round(self._every))
            self._later(lambda: self._report(kind))

    def _later(self, act: Callable[[], None]) -> None:
        timer = Timer(self._every, act)
        timer.daemon = True
        timer.start()
