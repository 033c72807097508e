"""Which links a machine opens: mail scanners follow every link of a message, each with another score.

Best effort: without Redis every opening is a person's. Nothing but what the page chooses beforehand depends on it.
"""

from datetime import timedelta
from pathlib import Path

import redis

from service.surveys.fields import to_ms
from service.surveys.store import Breaker

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
