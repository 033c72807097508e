"""A rate limit for the forms posted to one link. GET and HEAD don't count.

While Redis is unavailable, each process counts for itself.
"""

import math
from datetime import timedelta
from time import monotonic

import redis

from service.records.redis import Breaker, RecordsUnavailable, Store

MAX_POSTS = 300
"""Per link and minute: far more than a customer sends, and enough for 50 of them at once with retries."""

_PERIOD = timedelta(seconds=60)
_MAX_LINKS = 10_000
"""How many links a process counts for itself before it starts again from zero."""


class LinkGuard(Store):
    """Counts the posts to each link by the minute."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker, prefix: str = "afterword:") -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._here: dict[str, tuple[float, int]] = {}
        """The time of the first post in a link's minute, and the count, while Redis is unavailable."""

    def count_post(self, survey_id: str) -> int:
        """Count a post to a link. Return the seconds until the next one is accepted, 0 if this one is."""
        try:
            posts, left_ms = self._run_script("link_guard", [f"{self._prefix}posted:{survey_id}"], _PERIOD)
        except RecordsUnavailable:
            posts, left_ms = self._count_here(survey_id)
        return math.ceil(left_ms / 1000) if posts > MAX_POSTS else 0

    def _count_here(self, survey_id: str) -> tuple[int, float]:
        now, lasts = monotonic(), _PERIOD.total_seconds()
        if len(self._here) >= _MAX_LINKS:
            self._here.clear()
        begun_at, posts = self._here.get(survey_id, (now, 0))
        if now - begun_at >= lasts:
            begun_at, posts = now, 0
        posts += 1
        self._here[survey_id] = (begun_at, posts)
        return posts, (begun_at + lasts - now) * 1000
