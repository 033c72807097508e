"""Dixa's rate limit per token, as a token bucket."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic


@dataclass(slots=True)
class _Bucket:
    left: float
    seen_at: float


class RateLimit:
    """`rate` requests a second and token, at most `burst` at once. A rate of None means no limit."""

    def __init__(self, rate: float | None, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def allows(self, token: str) -> bool:
        """Count a request against the token's limit. Return whether it is allowed."""
        if self.rate is None:
            return True
        with self._lock:
            at = self._clock()
            bucket = self._buckets.setdefault(token, _Bucket(self.burst, at))
            bucket.left = min(self.burst, bucket.left + (at - bucket.seen_at) * self.rate)
            bucket.seen_at = at
            if bucket.left < 1:
                return False
            bucket.left -= 1
            return True
