"""The way back from an outage of Redis: watch for its return, then bring home what waits in the spool."""

from threading import Event, Thread

import structlog

from service.surveys.intake import Intake
from service.surveys.records import Breaker, Records, RecordsUnavailable
from service.surveys.spool import Spool

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 0.5


class Recovery:
    """A thread of every web process. Requests never wait for Redis to come back: this does."""

    def __init__(self, records: Records, breaker: Breaker, spool: Spool | None, intake: Intake) -> None:
        self._records = records
        self._breaker = breaker
        self._spool = spool
        self._intake = intake
        self._stopping = Event()

    def start(self) -> None:
        """Begin in the background."""
        Thread(target=self._run, name="recovery", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def step(self) -> None:
        """Close the breaker if Redis is back, and drain the spool. Raises RecordsUnavailable while it isn't."""
        if self._breaker.is_open:
            self._records.ping()
            log.info("redis.back")
        if self._spool and self._spool.waiting():
            drained = self._spool.drain(self._intake.take_spooled)
            log.info("spool.empty", drained=drained)

    def _run(self) -> None:
        self._records.report_problems()
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            try:
                self.step()
            except (RecordsUnavailable, OSError) as error:
                log.info("recovery.waits", problem=type(error).__name__)
