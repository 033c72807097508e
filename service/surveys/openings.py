"""What happens to links that no one customer does: a scanner opens them all, somebody posts to one without end.

Mail scanners follow every link of a message, each with another score. Best effort: without Redis every opening is a
person's and no post is counted. Nothing depends on it but what the page chooses beforehand, and who must wait.
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


class Openings:
    """The scores that links were opened with, for a minute; of a machine's links for longer."""

    def __init__(self, client: redis.Redis, breaker: Breaker, *, prefix: str = "afterword:") -> None:
        self._note = client.register_script(Path(__file__).with_suffix(".lua").read_text(encoding="utf-8"))
        self._breaker = breaker
        self._prefix = prefix

    def is_machine(self, survey_id: str, score: int, keep: timedelta) -> bool:
        """Note that a link was opened with this score, and say whether a machine opened it, now or within `keep`."""
        if self._breaker.is_open:
            return False
        try:
            key = f"{self._prefix}opened:{survey_id}"
            return bool(self._note(keys=[key], args=[score, to_ms(_COUNTS_FOR), to_ms(keep)]))
        except redis.RedisError:
            return False


class Posts:
    """How often each link was posted to, a minute at a time."""

    def __init__(self, client: redis.Redis, breaker: Breaker, *, prefix: str = "afterword:") -> None:
        self._count = client.register_script(Path(__file__).with_suffix(".posts.lua").read_text(encoding="utf-8"))
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
