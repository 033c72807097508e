"""Detects outages of Dixa as a whole. All workers share the state through Redis.

Failed calls about different conversations in a row mean an outage; one conversation that always fails does not. During
an outage one claim at a time probes Dixa every few seconds, and all others wait.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
import structlog

from service.dixa.errors import DixaDown
from service.dixa.pace import SharedPace
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()

_FAILED = Path(__file__).with_name("outage.failed.lua")
_PROBE = Path(__file__).with_name("outage.probe.lua")
_RESPONDED = Path(__file__).with_name("outage.responded.lua")

_FAILURES = 5
"""Different conversations with failed calls in a row that mean an outage. Fewer may be a coincidence."""

_RESPONSES = 3
"""Good responses in a row that end an outage. With fewer, an unstable Dixa would seem to recover again and again."""

_WINDOW_MS = 60_000
"""Older failures are not in a row with a new one."""

_RETENTION = timedelta(days=100)
"""For how long past outages are kept: longer than any survey is retried."""

_MIN_OUTAGE = timedelta(seconds=10)
"""Shorter outages are not kept, since they cost surveys no time worth adding."""

_MAX_KEPT = 1000


class Outage:
    """Counts failed and good calls, and returns how long to wait."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        probe_interval: timedelta = timedelta(seconds=5),
        on_recovery: Callable[[Collection[int]], None] = lambda _: None,
        prefix: str = "afterword:",
    ) -> None:
        self._redis = client
        self._probe_interval = probe_interval
        self._on_recovery = on_recovery
        self._failed, self._probe, self._responded = (
            client.register_script(path.read_text(encoding="utf-8")) for path in (_FAILED, _PROBE, _RESPONDED)
        )
        self._failing_key = f"{prefix}dixa:failed"
        self._down_key = f"{prefix}dixa:down"
        self._responses_key = f"{prefix}dixa:responses"
        self._probe_key = f"{prefix}dixa:probe"
        self._past_key = f"{prefix}dixa:outages"
        self.keys = (self._down_key, self._failing_key)
        """The keys from which `SharedPace` knows of an outage, and of failed calls."""
        self.down_key = self._down_key
        """The key with the time of an outage, in milliseconds. Absent without one."""
        self._has_counted = False

    def count_failure(self, conversation_id: int, problem: str) -> timedelta | None:
        """Count a failed call. Return how long to wait during an outage, or None without one."""
        is_down, is_new = self._run(
            self._failed,
            [self._failing_key, self._down_key, self._responses_key],
            [conversation_id, _FAILURES, _WINDOW_MS],
            (0, 0),
        )
        self._has_counted = True
        if is_new:
            log.error(
                "dixa.down", problem=f"calls about different conversations fail in a row, the last one: {problem}"
            )
        # After a failed probe the claim waits for two intervals. The next probe is then about another conversation:
        # this one may be broken for ever.
        return 2 * self._probe_interval if is_down else None

    def count_response(self, *, may_follow_failure: bool = True) -> None:
        """Count a good response. It may end an outage.

        Nothing is sent if no failure was on record when the call began, and this process has counted none since.
        """
        if not (may_follow_failure or self._has_counted):
            return
        self._has_counted = False
        seconds, failed = self._run(
            self._responded,
            [self._failing_key, self._down_key, self._probe_key, self._past_key, self._responses_key],
            [_ms(_RETENTION), _ms(_MIN_OUTAGE), _MAX_KEPT, _RESPONSES],
            ("", []),
        )
        if seconds:
            log.warning("dixa.recovered", down_for_seconds=int(float(seconds)), failed=len(failed))
            # Without Redis the failed surveys wait for their own retries.
            with suppress(RecordsUnavailable):
                self._on_recovery([int(each) for each in failed])

    def begin_probe(self) -> timedelta | None:
        """Begin a probe if none is under way.

        Return None without an outage, zero if the caller may probe now, and otherwise the time until the next probe.
        """
        return self._wait_for_probe(self._probe_interval)

    def count_probes(self) -> int | None:
        """Return how many probes may begin now, 0 or 1, or None without an outage."""
        wait = self._wait_for_probe(timedelta())
        return None if wait is None else int(not wait)

    def down_since(self) -> datetime | None:
        """Return when the outage began. None without one, or if Redis fails."""
        try:
            since = self._redis.get(self._down_key)
        except redis.RedisError:
            return None
        return read_down_since(since)

    def problem(self) -> str:
        """Describe the outage for an operator. Empty without one."""
        return describe_outage(self.down_since())

    def downtime(self, since: datetime) -> timedelta:
        """Return the total length of outages since a time. Deadlines of surveys are extended by it."""
        since_ms = since.timestamp() * 1000
        try:
            found: Any = self._redis.zrangebyscore(self._past_key, since_ms, "+inf", withscores=True)
        except redis.RedisError:
            return timedelta()
        outages = [(float(began), float(ended)) for began, ended in found]
        if down_since := self.down_since():
            outages.append((down_since.timestamp() * 1000, datetime.now(UTC).timestamp() * 1000))
        return timedelta(milliseconds=sum(max(ended - max(began, since_ms), 0.0) for began, ended in outages))

    def _wait_for_probe(self, interval: timedelta) -> timedelta | None:
        is_down, wait_ms = self._run(self._probe, [self._down_key, self._probe_key], [_ms(interval)], (0, 0))
        return timedelta(milliseconds=max(wait_ms, 0)) if is_down else None

    def _run(self, script: Any, keys: list[str], args: list[int], default: Any) -> Any:
        try:
            return script(keys=keys, args=args)
        except redis.RedisError:
            # Without Redis nobody gets a slot, so it does not matter whether Dixa is down.
            return default


class RelayPace:
    """Limits the relay: to the slots of the rate limit, and to one probe during an outage."""

    def __init__(self, pace: SharedPace, outage: Outage) -> None:
        self._pace = pace
        self._outage = outage

    def count_free(self, *within: timedelta) -> list[int]:
        """Count the claims able to begin within each of these times."""
        try:
            return self._pace.count_free(*within, outage_keys=self._outage.keys)
        except DixaDown:
            probes, counts = self._outage.count_probes(), self._pace.count_free(*within)
            return counts if probes is None else [min(probes, each) for each in counts]


def read_down_since(text: str | bytes | None) -> datetime | None:
    """Read the value of `Outage.down_key`."""
    return datetime.fromtimestamp(int(text) / 1000, UTC) if text else None


def describe_outage(since: datetime | None) -> str:
    """Describe an outage for an operator. Empty without one."""
    meanwhile = "one call every few seconds checks whether it is back, and surveys wait without losing time"
    return f"Dixa is down since {since:%Y-%m-%d %H:%M:%S} UTC: {meanwhile}" if since else ""


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
