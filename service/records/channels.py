"""Which channels are down for everybody: their server is away, or refuses us. All workers know it through Redis.

One that has failed pauses: no offer is made for it, and when the pause is over one survey at a time tries it. The pause
doubles with each further survey that fails in a row. Whoever has failed leaves the next try to others: the trouble may
be one customer's own. What still fails when others have got through is, and pauses nothing any more.
"""

from datetime import timedelta
from pathlib import Path

import redis
import structlog

from service.records.codec import from_ms, to_ms
from service.records.redis import Breaker, Store

log = structlog.get_logger()

PAUSE = timedelta(minutes=1)
_WHILE_TRIED = timedelta(seconds=10)
"""How long the others wait while one tries: it may have got through by then."""

_LONGEST_PAUSE = timedelta(minutes=10)

_ENOUGH = 5
"""So many different surveys in a row that a server had no time for, refused, or said nothing of are no chance."""

_FORGET_MS = to_ms(timedelta(days=1))
"""When nothing has failed for so long, nothing has been tried."""


class Channels(Store):
    """What is known of the channels by which links go out, and answers are told."""

    pause = PAUSE

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._failed, self._works = (
            client.register_script(Path(__file__).with_suffix(ending).read_text(encoding="utf-8"))
            for ending in (".failed.lua", ".works.lua")
        )

    def wait(self, channel: str, survey_id: str) -> timedelta | None:
        """Return how long this survey leaves a channel alone; None if it may go on."""
        return self._look(channel, survey_id)[1]

    def begin(self, channel: str, survey_id: str) -> timedelta | None:
        """Take leave to use a channel that is down. Return how long to wait if another has it, and None to go on."""
        key, lasts_ms = self._pause_key(channel), to_ms(self.pause)
        is_down, wait = self._look(channel, survey_id)
        if wait is not None or not is_down:
            return wait
        is_ours = self._ask(lambda: self._redis.set(key, survey_id, nx=True, px=lasts_ms))
        return None if is_ours else self.wait(channel, survey_id)

    def failed(self, channel: str, survey_id: str, problem: str, *, is_certain: bool = True) -> None:
        """Note a failure that is about no customer, or may be: then it takes several of them in a row."""
        pauses = [to_ms(self.pause), to_ms(max(_LONGEST_PAUSE, self.pause))]
        args: list[str | int] = [channel, survey_id, problem, 1 if is_certain else _ENOUGH, *pauses, _FORGET_MS]
        if self._ask(lambda: self._failed(keys=self._keys(channel, survey_id), args=args)):
            log.error("channel.down", channel=channel, problem=problem)

    def works(self, channel: str, survey_id: str) -> None:
        """Note that something went through."""
        args: list[str | int] = [channel, survey_id, _FORGET_MS]
        if self._ask(lambda: self._works(keys=self._keys(channel, survey_id), args=args)):
            log.warning("channel.recovered", channel=channel)

    def troubles(self) -> list[str]:
        """Name each channel that is down, since when, and why."""
        found: dict[str, str] = self._ask(lambda: self._redis.hgetall(self._down_key))
        return [_describe(channel, *each.split(" ", 1)) for channel, each in sorted(found.items())]

    @property
    def _down_key(self) -> str:
        return f"{self._prefix}channels_down"

    def _look(self, channel: str, survey_id: str) -> tuple[bool, timedelta | None]:
        """Return whether a channel is down, and how long this survey leaves it alone."""
        asked = self._redis.pipeline(transaction=False)
        asked.pttl(self._own_pause_key(channel, survey_id))
        asked.hget(self._down_key, channel)
        asked.get(self._pause_key(channel))
        asked.pttl(self._pause_key(channel))
        own_ms, down, whose, left_ms = self._ask(asked.execute)
        if own_ms > 0:
            return down is not None, timedelta(milliseconds=own_ms)
        if down is None or whose in (None, survey_id):
            return down is not None, None
        left = timedelta(milliseconds=max(left_ms, 1))
        return True, min(left, _WHILE_TRIED) if whose else left

    def _pause_key(self, channel: str) -> str:
        return f"{self._prefix}channel:{channel}:pause"

    def _own_pause_key(self, channel: str, survey_id: str) -> str:
        return f"{self._prefix}channel:{channel}:pause:{survey_id}"

    def _keys(self, channel: str, survey_id: str) -> list[str]:
        own = (f"{self._prefix}channel:{channel}:{name}" for name in ("failing", "alone"))
        return [self._down_key, self._pause_key(channel), *own, self._own_pause_key(channel, survey_id)]


def _describe(channel: str, since_ms: str, problem: str) -> str:
    since = f"{from_ms(since_ms):%Y-%m-%d %H:%M:%S} UTC"
    meanwhile = "Surveys go by their next channel, or wait; one at a time tries it"
    return f'channel "{channel}" is down since {since}: {problem}. {meanwhile}'
