"""What `/metrics` shows of the records, in one round trip and without a scan.

Raises RecordsUnavailable when Redis can't be reached.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.records.codec import to_ms
from service.records.due_archive import DUE_ARCHIVE
from service.records.processes import ALIVE_FOR, CALLS, LAST_WEBHOOK, PROCESSES
from service.records.queries import Queries
from service.records.switches import Switches
from service.surveys.states import Journey


@dataclass(frozen=True, slots=True)
class Due:
    """The due set of a journey: its surveys, and for how long the first one has been due, in seconds."""

    surveys: int
    overdue: float


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last report of a process. `name` has its role, host and pid, and `age` is in seconds."""

    name: str
    role: str
    age: float

    @property
    def is_alive(self) -> bool:
        """Whether the process counts as running."""
        return self.age <= ALIVE_FOR.total_seconds()


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured values. `values` are those of the keys that the caller has named."""

    now: datetime
    decisions: Mapping[str, int]
    calls: Mapping[str, int]
    due: Mapping[Journey, Due]
    reminding: int
    failed: int
    queued: int
    paused_since: str | None
    to_archive: int
    last_webhook: float | None
    heartbeats: Sequence[Heartbeat]
    values: Sequence[str | None]

    @property
    def is_paused(self) -> bool:
        """Whether an operator has paused surveys."""
        return self.paused_since is not None


class Measurements(Queries, Switches):
    """Measures one installation."""

    def measure(self, keys: Sequence[str]) -> Measured:
        """Measure everything, and read the strings under these keys. The day is that of this host's clock, in UTC."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        pipeline.hgetall(self._decisions_key(datetime.now(UTC).date()))
        pipeline.hgetall(f"{self._prefix}{CALLS}")
        pipeline.hgetall(f"{self._prefix}{PROCESSES}")
        pipeline.scard(self._reminding_key)
        pipeline.zcard(self._failed_key)
        pipeline.llen(self._queue_key)
        pipeline.zcard(f"{self._prefix}{DUE_ARCHIVE}")
        pipeline.mget([self._paused_key, f"{self._prefix}{LAST_WEBHOOK}", *keys])
        for journey in Journey:
            pipeline.zcard(self._due(journey))
            pipeline.zrange(self._due(journey), 0, 0, withscores=True)
        (seconds, micros), decisions, calls, processes, *rest = self._run_command(pipeline.execute)
        reminding, failed, queued, to_archive, (paused, last_webhook, *values), *due = rest
        now = seconds + micros / 1_000_000
        return Measured(
            now=datetime.fromtimestamp(now, UTC),
            decisions={reason: int(count) for reason, count in decisions.items()},
            calls={outcome: int(count) for outcome, count in calls.items()},
            due={
                journey: Due(count, _overdue(first, now))
                for journey, count, first in zip(Journey, due[::2], due[1::2], strict=True)
            },
            reminding=reminding,
            failed=failed,
            queued=queued,
            paused_since=paused,
            to_archive=to_archive,
            last_webhook=float(last_webhook) if last_webhook else None,
            heartbeats=[_read_heartbeat(name, text, now) for name, text in sorted(processes.items())],
            values=values,
        )

    def count_due(self, bounds: Sequence[datetime]) -> list[int]:
        """Count the surveys and reminders that are due before the first bound, between each two, and after the last."""
        edges = [*map(str, map(to_ms, bounds))]
        pipeline = self._redis.pipeline(transaction=False)
        for since, until in zip(["-inf", *edges], [*(f"({each}" for each in edges), "+inf"], strict=True):
            pipeline.zcount(self._due(Journey.OFFER), since, until)
        return [int(each) for each in self._run_command(pipeline.execute)]


def _overdue(first: Sequence[tuple[str, float]], now: float) -> float:
    return max(now - first[0][1] / 1000, 0.0) if first else 0.0


def _read_heartbeat(name: str, text: str, now: float) -> Heartbeat:
    report: dict[str, Any] = json.loads(text)
    return Heartbeat(name, report["role"], max(now - report["at"], 0.0))
