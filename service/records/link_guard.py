"""Counts the forms posted to each link, to slow down somebody who posts without end.

Without Redis each process counts for itself. Looking at a page, by GET or HEAD, counts for nothing.
"""

import math
from datetime import timedelta
from pathlib import Path
from time import monotonic

import redis

from service.records.codec import to_ms
from service.records.redis import Breaker

MAX_POSTS = 100
"""To one link, in a minute: far more than anybody's second thoughts, and what 50 tries at once need."""

_COUNTS_FOR = timedelta(seconds=60)
_MOST_LINKS = 10_000
"""How many links a process counts for itself; then it begins anew."""


class LinkGuard:
    """How often each link was posted to, a minute at a time."""

    def __init__(self, client: redis.Redis, breaker: Breaker, *, prefix: str = "afterword:") -> None:
        self._count = client.register_script(Path(__file__).with_suffix(".lua").read_text(encoding="utf-8"))
        self._breaker = breaker
        self._prefix = prefix
        self._here: dict[str, tuple[float, int]] = {}
        """When the first post of a link's minute came, and how many did, while Redis is away."""

    def wait_seconds(self, survey_id: str) -> int:
        """Count a post to a link, and say how long the sender has to wait before one is taken; 0 for not at all."""
        posts, left_ms = self._count_in_redis(survey_id) or self._count_here(survey_id)
        return math.ceil(left_ms / 1000) if posts > MAX_POSTS else 0

    def _count_in_redis(self, survey_id: str) -> tuple[int, float] | None:
        if self._breaker.is_open:
            return None
        try:
            posts, left_ms = self._count(keys=[f"{self._prefix}posted:{survey_id}"], args=[to_ms(_COUNTS_FOR)])
        except redis.RedisError:
            return None
        return posts, left_ms

    def _count_here(self, survey_id: str) -> tuple[int, float]:
        now, lasts = monotonic(), _COUNTS_FOR.total_seconds()
        if len(self._here) >= _MOST_LINKS:
            self._here.clear()
        begun_at, posts = self._here.get(survey_id, (now, 0))
        if now - begun_at >= lasts:
            begun_at, posts = now, 0
        self._here[survey_id] = (begun_at, posts + 1)
        return posts + 1, (begun_at + lasts - now) * 1000
