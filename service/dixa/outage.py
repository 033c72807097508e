"""Whether Dixa as a whole is down. All workers know it through Redis.

Calls about different conversations that fail in a row say so; one conversation that always fails never does. While Dixa
is down one claim at a time looks whether it is back, every few seconds, and all others wait.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
import structlog

from service.dixa.pace import SharedPace
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()

_FAILED = Path(__file__).with_name("outage.failed.lua")
_PROBE = Path(__file__).with_name("outage.probe.lua")
_OVER = Path(__file__).with_name("outage.over.lua")

_ENOUGH = 5
"""So many different conversations in a row are no chance, and no fault of theirs."""

_BACK = 3
"""So many answers in a row while it is down are no chance either: one that comes and goes stays down."""

_ROW_MS = 60_000
"""What failed longer ago isn't in a row with what fails now."""

_KEEP = timedelta(days=100)
"""How long past outages are remembered: longer than anything is tried."""

_SHORTEST = timedelta(seconds=10)
"""A shorter one costs nobody any time to speak of."""

_MOST_KEPT = 1000


class Outage:
    """Counts what Dixa answers, and says what that means for everybody."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        probe_interval: timedelta = timedelta(seconds=5),
        on_recovery: Callable[[Collection[int]], None] = lambda _: None,
        prefix: str = "afterword:",
    ) -> None:
        self._redis = client
        self._probe_every = probe_interval
        self._when_over = on_recovery
        self._failed, self._probe, self._over = (
            client.register_script(path.read_text(encoding="utf-8")) for path in (_FAILED, _PROBE, _OVER)
        )
        self._failing_key = f"{prefix}dixa:failing"
        self._down_key = f"{prefix}dixa:down"
        self._answers_key = f"{prefix}dixa:answers"
        self._probe_key = f"{prefix}dixa:probe"
        self._past_key = f"{prefix}dixa:outages"

    def failed(self, conversation_id: int, problem: str) -> timedelta | None:
        """Count a call that failed. Return how long to wait if Dixa is down, and None if it may be this one alone."""
        is_down, is_new = self._run(
            self._failed,
            [self._failing_key, self._down_key, self._answers_key],
            [conversation_id, _ENOUGH, _ROW_MS],
            (0, 0),
        )
        if is_new:
            log.error(
                "dixa.down", problem=f"calls about different conversations fail in a row, the last one: {problem}"
            )
        # Whoever has looked in vain leaves the next look to another: it might be a conversation that always fails.
        return 2 * self._probe_every if is_down else None

    def answered(self) -> None:
        """Count a call that Dixa has answered: it isn't down, or not any more after some in a row."""
        seconds, failed = self._run(
            self._over,
            [self._failing_key, self._down_key, self._probe_key, self._past_key, self._answers_key],
            [_ms(_KEEP), _ms(_SHORTEST), _MOST_KEPT, _BACK],
            ("", []),
        )
        if seconds:
            log.warning("dixa.recovered", down_for_seconds=int(float(seconds)), failed=len(failed))
            # If Redis fails now, what has failed waits out its own pauses.
            with suppress(RecordsUnavailable):
                self._when_over([int(each) for each in failed])

    def begin_probe(self) -> timedelta | None:
        """Begin to look whether Dixa is back. Return how long to wait if somebody else does, and None if it isn't down.

        Zero is leave to look.
        """
        is_down, wait_ms = self._run(self._probe, [self._down_key, self._probe_key], [_ms(self._probe_every)], (0, 0))
        return timedelta(milliseconds=max(wait_ms, 0)) if is_down else None

    def count_probes(self) -> int | None:
        """Count the claims that there is leave for now; None if Dixa isn't down."""
        is_down, wait_ms = self._run(self._probe, [self._down_key, self._probe_key], [0], (0, 0))
        return int(wait_ms <= 0) if is_down else None

    def down_since(self) -> datetime | None:
        """Return since when Dixa is down; None if it isn't, or Redis can't be asked."""
        try:
            since = self._redis.get(self._down_key)
        except redis.RedisError:
            return None
        return datetime.fromtimestamp(int(since) / 1000, UTC) if since else None

    def trouble(self) -> str:
        """Say that Dixa is down, and what happens meanwhile; empty if it isn't."""
        since = self.down_since()
        wait = "one call every few seconds looks whether it is back, and surveys wait without losing time"
        return f"Dixa is down since {since:%Y-%m-%d %H:%M:%S} UTC: {wait}" if since else ""

    def downtime(self, since: datetime) -> timedelta:
        """Return for how long Dixa was down from then on. Nobody's time is used up by that."""
        since_ms = since.timestamp() * 1000
        try:
            found: Any = self._redis.zrangebyscore(self._past_key, since_ms, "+inf", withscores=True)
        except redis.RedisError:
            return timedelta()
        past = [(str(began), float(ended)) for began, ended in found]
        if down_since := self.down_since():
            past.append((str(down_since.timestamp() * 1000), datetime.now(UTC).timestamp() * 1000))
        lost_ms = sum(max(ended - max(float(began), since_ms), 0.0) for began, ended in past)
        return timedelta(milliseconds=lost_ms)

    def _run(self, script: Any, keys: list[str], args: list[int], unknown: Any) -> Any:
        try:
            return script(keys=keys, args=args)
        except redis.RedisError:
            # Without Redis nobody gets a slot either.
            return unknown


class RelayPace:
    """What relays may queue: what the pace can begin, and while Dixa is down one claim to look whether it is back."""

    def __init__(self, pace: SharedPace, outage: Outage) -> None:
        self._pace = pace
        self._outage = outage

    def count_free(self, within: timedelta) -> int:
        """Count the claims that can begin within this time."""
        probes, free = self._outage.count_probes(), self._pace.count_free(within)
        return free if probes is None else min(probes, free)


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
