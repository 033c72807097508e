"""Counts the forms posted to each link, to slow down somebody who posts without end.

Best effort: without Redis nothing is counted. Looking at a page, by GET or HEAD, counts for nothing.
"""

import math
from datetime import timedelta
from pathlib import Path

import redis

from service.surveys.fields import to_ms
from service.surveys.store import Breaker

MOST_POSTS = 100
"""To one link, in a minute: far more than anybody's second thoughts, and what 50 tries at once need."""

_COUNTS_FOR = timedelta(seconds=60)


class Posts:
    """How often each link was posted to, a minute at a time."""

    def __init__(self, client: redis.Redis, breaker: Breaker, *, prefix: str = "afterword:") -> None:
        self._count = client.register_script(Path(__file__).with_suffix(".lua").read_text(encoding="utf-8"))
        self._breaker = breaker
        self._prefix = prefix

    def wait_seconds(self, survey_id: str) -> int:
        """Count a post to a link, and say how long the sender has to wait before one is taken; 0 for not at all."""
        if self._breaker.is_open:
            return 0
        try:
            posts, left_ms = self._count(keys=[f"{self._prefix}posted:{survey_id}"], args=[to_ms(_COUNTS_FOR)])
        except redis.RedisError:
            return 0
        return math.ceil(left_ms / 1000) if posts > MOST_POSTS else 0
