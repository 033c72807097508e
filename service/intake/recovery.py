"""Recovery from an outage of Redis: close the breaker when Redis is back, then drain the spool."""

from datetime import timedelta
from time import monotonic
from typing import Final

import structlog

from service.intake.intake import Intake
from service.intake.spool import Entry, Spool
from service.records.background import BackgroundLoop, LogEvents
from service.records.records import Records
from service.records.redis import Breaker, RecordsUnavailable

log = structlog.get_logger()

_INTERVAL: Final = timedelta(seconds=1)
_INTERVAL_DOWN: Final = timedelta(seconds=0.5)
"""While Redis is down, or the spool has entries."""
_PING_INTERVAL: Final = timedelta(seconds=60)


class Recovery:
    """A `loop` in every web process. It waits for Redis to come back, so no request has to."""

    def __init__(self, records: Records, breaker: Breaker, spool: Spool | None, intake: Intake) -> None:
        self._records = records
        self._breaker = breaker
        self._spool = spool
        self._intake = intake
        self._ping_at = 0.0
        self._was_down = False
        self.loop = BackgroundLoop(
            self.step,
            _INTERVAL,
            LogEvents("redis.lost", "redis.recovered", "recovery.failed"),
            describe=_describe,
            prepare=records.report_problems,
        )

    def step(self) -> None:
        """Close the breaker if Redis is back, and drain the spool. Raises RecordsUnavailable while Redis is down."""
        if self._breaker.is_open:
            self.loop.wake(_INTERVAL_DOWN)
        if self._breaker.is_open or monotonic() >= self._ping_at:
            # A ping also reads Redis's clock, which dates spooled answers, so it is sent now and then without a
            # failure.
            self._ping()
            self._ping_at = monotonic() + _PING_INTERVAL.total_seconds()
        if self._spool and self._spool.waiting():
            self.loop.wake(_INTERVAL_DOWN)
            drained = self._spool.drain(self._take)
            if drained:
                log.info("spool.drained_all", drained=drained)

    def _take(self, entry: Entry) -> None:
        # The entry before may have opened the breaker with a failure of its own, and this one would not be tried.
        if self._breaker.is_open:
            self._ping()
        self._intake.take_spooled(entry)

    def _ping(self) -> None:
        try:
            self._records.ping()
        except RecordsUnavailable:
            self._was_down = True
            raise
        if self._was_down and self._spool:
            self._spool.restart_overdue()
        self._was_down = False


def _describe(error: Exception) -> str:
    if isinstance(error, RecordsUnavailable):
        return str(error)
    if isinstance(error, OSError):
        return f"Redis works, but the spool can't be read: {error.strerror}"
    return ""
