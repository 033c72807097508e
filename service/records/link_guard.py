"""A rate limit for the forms posted to one link. GET and HEAD don't count.

While Redis is unavailable, each process counts for itself.
"""

import math
from datetime import timedelta
from time import monotonic

import redis

from service.records.queries import Queries
from service.records.redis import Breaker
from service.surveys.model import Record

MAX_POSTS = 100
"""Per link and minute: far more than a customer sends, and enough for 50 of them at once with retries."""

_PERIOD = timedelta(seconds=60)
_MAX_LINKS = 10_000
"""How many links a process counts for itself before it starts again from zero."""


class LinkGuard(Queries):
    """Counts the posts to each link by the minute."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker, prefix: str = "afterword:") -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._here: dict[str, tuple[float, int]] = {}
        """The time of the first post in a link's minute, and the count, while Redis is unavailable."""

    def load_for_post(self, survey_id: str) -> tuple[Record | None, int]:
        """Load the record and count a post to its link, in one round trip.

        Return also the seconds until the next post is accepted, 0 if this one is. Raises RecordsUnavailable: then use
        `count_here`.
        """
        key = f"{self._prefix}posted:{survey_id}"
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(self._key(survey_id))
        pipeline.set(key, 0, px=_PERIOD, nx=True)
        pipeline.incr(key)
        pipeline.pttl(key)
        fields, _, posts, left_ms = self._run_command(pipeline.execute)
        if left_ms < 0:
            # The minute ended between SET and INCR.
            self._run_command(lambda: self._redis.pexpire(key, _PERIOD))
        return self._read(fields) if fields else None, _wait_seconds(posts, left_ms)

    def count_here(self, survey_id: str) -> int:
        """Count a post in this process. Return the seconds until the next one is accepted, 0 if this one is."""
        now, lasts = monotonic(), _PERIOD.total_seconds()
        if len(self._here) >= _MAX_LINKS:
            self._here.clear()
        begun_at, posts = self._here.get(survey_id, (now, 0))
        if now - begun_at >= lasts:
            begun_at, posts = now, 0
        posts += 1
        self._here[survey_id] = (begun_at, posts)
        return _wait_seconds(posts, (begun_at + lasts - now) * 1000)


def _wait_seconds(posts: int, left_ms: float) -> int:
    return math.ceil(left_ms / 1000) if posts > MAX_POSTS else 0
