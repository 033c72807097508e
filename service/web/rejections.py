"""Counts what is refused, so that no flood fills the log: the first of a kind is logged at once, the rest by minute.

What tells of a fault on our side, a wrong clock or secret, is also kept for `afterword doctor` and `/readyz`.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from threading import Lock, Timer
from time import monotonic
from typing import Any

import structlog

log = structlog.get_logger()

_MOST_KINDS = 50
"""Of one minute: what comes beyond them is counted together."""

_HOUR = 3600.0
_MOST_REMEMBERED = 1000


class Rejections:
    """The rejections of this process."""

    def __init__(self, every: timedelta = timedelta(minutes=1)) -> None:
        self._every = every.total_seconds()
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._suspicious: deque[tuple[float, str]] = deque(maxlen=_MOST_REMEMBERED)

    def note(self, event: str, problem: str, **facts: Any) -> None:
        """Log it if it is the first of its kind for a minute, and count it else. `facts` are those of the first."""
        with self._lock:
            kind = (event, problem)
            if kind not in self._counts and len(self._counts) >= _MOST_KINDS:
                kind, facts = (event, "other"), {}
            is_first = kind not in self._counts
            self._counts[kind] += 0 if is_first else 1
        if is_first:
            log.warning(kind[0], problem=kind[1], **facts)
            self._later(lambda: self._tell(kind))

    def suspect(self, hint: str) -> None:
        """Keep for an hour what may be our own fault; `hint` says what to look at."""
        self._suspicious.append((monotonic(), hint))

    def suspicions(self) -> dict[str, int]:
        """Count by hint what was suspected in the last hour; no more than the last thousand."""
        since = monotonic() - _HOUR
        return dict(Counter(hint for at, hint in list(self._suspicious) if at >= since))

    def _tell(self, kind: tuple[str, str]) -> None:
        with self._lock:
            times = self._counts.pop(kind)
            if times:
                self._counts[kind] = 0
        if times:
            log.warning(kind[0], problem=kind[1], times=times, within_seconds=round(self._every))
            self._later(lambda: self._tell(kind))

    def _later(self, act: Callable[[], None]) -> None:
        timer = Timer(self._every, act)
        timer.daemon = True
        timer.start()
