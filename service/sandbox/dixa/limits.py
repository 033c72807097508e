"""Dixa's rate limit per token, as a token bucket."""

from collections.abc import Callable
from threading import Lock
from time import monotonic


class RateLimit:
    """`rate` requests a second and token, at most `burst` at once. A rate of None means no limit."""

    def __init__(self, rate: float | None, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """What is left of each token's burst, and since when."""
        self._lock = Lock()

    def allows(self, token: str) -> bool:
        """Count a request against the token's limit. Return whether it is allowed."""
        if self.rate is None:
            return True
        with self._lock:
            at = self._clock()
            left, seen_at = self._buckets.get(token, (self.burst, at))
            left = min(self.burst, left + (at - seen_at) * self.rate)
            is_allowed = left >= 1
            self._buckets[token] = (left - is_allowed, at)
            return is_allowed
