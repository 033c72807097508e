"""The way back from an outage of Redis: watch for its return, then bring home what waits in the spool."""

from threading import Event, Thread

import structlog

from service.surveys.intake import Intake
from service.surveys.records import Records
from service.surveys.spool import Spool
from service.surveys.store import Breaker, RecordsUnavailable

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
        if self._spool and self._spool.waiting():
            drained = self._spool.drain(self._intake.take_spooled)
            if drained:
                log.info("spool.drained_all", drained=drained)

    def _run(self) -> None:
        self._records.report_problems()
        problem = ""
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            last, problem = problem, self._problem()
            # An outage is two lines in the log, not two a second.
            if problem and problem != last:
                log.warning("redis.lost", problem=problem)
            if last and not problem:
                log.info("redis.back")

    def _problem(self) -> str:
        """Take a step and say what went wrong. A thread that ended here would leave the breaker open for good."""
        try:
            self.step()
        except (RecordsUnavailable, OSError) as error:
            return str(error)
        except Exception as error:
            log.exception("recovery.failed")
            return type(error).__name__
        return ""
