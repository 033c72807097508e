"""The rate limit of Dixa, without its waiting."""

from datetime import timedelta

import pytest
import redis

from service.dixa.errors import NoSlot
from service.dixa.pace import ObserverPace, SharedPace
from service.surveys.ports import Deadline

TOKENS = ("first-secret-token", "second-secret-token")
SECOND = timedelta(seconds=1)


def pace_of(client: redis.Redis, prefix: str, rate: float = 10, burst: int = 1, tokens: int = 1) -> SharedPace:
    """A rate limit without waiting."""
    return SharedPace(client, TOKENS[:tokens], rate=rate, burst=burst, wait=lambda _: None, prefix=prefix)


def refused_for(pace: SharedPace | ObserverPace) -> timedelta:
    """Check that no slot is free within a second, and return the time until the next one."""
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    return caught.value.retry_in


class Grants:
    """Takes slots as fast as possible, and records the earliest and latest possible time of each."""

    def __init__(self, client: redis.Redis, prefix: str, rate: float, burst: int, tokens: int = 1) -> None:
        self._client = client
        self._waits: list[float] = []
        self._pace = SharedPace(client, TOKENS[:tokens], rate=rate, burst=burst, wait=self._waits.append, prefix=prefix)
        self.times: dict[str, list[tuple[float, float]]] = {}

    def take(self) -> bool:
        """Take one more slot, if there is one within a second."""
        self._waits.clear()
        before = self._now()
        try:
            slot = self._pace.take_slot(Deadline(5 * SECOND), SECOND)
        except NoSlot:
            return False
        wait = sum(self._waits)
        self.times.setdefault(slot.token, []).append((before + wait, self._now() + wait))
        return True

    def count(self) -> int:
        """How many slots there are from now on, within a second; at most 500."""
        return next(taken for taken in range(501) if taken == 500 or not self.take())

    def _now(self) -> float:
        seconds, micros = self._client.time()
        return float(seconds) + float(micros) / 1_000_000
