"""Dixa's limit of requests per token: a bucket that refills steadily."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic


@dataclass(slots=True)
class _Bucket:
    left: float
    seen_at: float


class RateLimit:
    """`rate` requests a second and token, at most `burst` at once; a rate of None limits nothing."""

    def __init__(self, rate: float | None, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def allows(self, token: str) -> bool:
        """Take one request from the token's bucket, if it holds one."""
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
