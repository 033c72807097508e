"""The way back from an outage of Redis: watch for its return, then bring home what waits in the spool."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from traceback import format_tb

import structlog

from service.intake.intake import Intake
from service.intake.spool import Entry, Spool
from service.records.complaint import Complaint
from service.records.records import Records
from service.records.redis import Breaker, RecordsUnavailable

log = structlog.get_logger()

LOOK_EVERY_SECONDS = 0.5
_PING_EVERY_SECONDS = 60.0


class Recovery:
    """A thread of every web process. Requests never wait for Redis to come back: this does."""

    def __init__(self, records: Records, breaker: Breaker, spool: Spool | None, intake: Intake) -> None:
        self._records = records
        self._breaker = breaker
        self._spool = spool
        self._intake = intake
        self._look_at = 0.0
        self._was_away = False
        self._stopping = Event()

    def start(self) -> None:
        """Begin in the background."""
        Thread(target=self._run, name="recovery", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def step(self) -> None:
        """Close the breaker if Redis is back, and drain the spool. Raises RecordsUnavailable while it isn't."""
        if self._breaker.is_open or monotonic() >= self._look_at:
            # Now and then though nothing failed: what Redis' clock says is known only from here.
            self._ping()
            self._look_at = monotonic() + _PING_EVERY_SECONDS
        if self._spool and self._spool.waiting():
            drained = self._spool.drain(self._take)
            if drained:
                log.info("spool.drained_all", drained=drained)

    def _take(self, entry: Entry) -> None:
        """Bring an entry home; the one before it may have opened the breaker by a failure of its own."""
        if self._breaker.is_open:
            self._ping()
        self._intake.take_spooled(entry)

    def _ping(self) -> None:
        try:
            self._records.ping()
        except RecordsUnavailable:
            self._was_away = True
            raise
        if self._was_away and self._spool:
            self._spool.begin_anew()
        self._was_away = False

    def _run(self) -> None:
        self._problem(self._records.report_problems)
        complaint = Complaint("redis.lost", "redis.back")
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            complaint.tell(self._problem(self.step, before=complaint.problem))

    def _problem(self, act: Callable[[], None], before: str = "") -> str:
        """Act and say what went wrong. A thread that ended here would leave the breaker open for good."""
        try:
            act()
        except RecordsUnavailable as error:
            return str(error)
        except OSError as error:
            return f"Redis is there, and the spool can't be read: {error.strerror}"
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may do better
            problem = type(error).__name__
            if problem != before:
                # Where it was, and not what it says: that may quote a customer.
                log.error("recovery.failed", problem=problem, where="".join(format_tb(error.__traceback__)))  # noqa: TRY400
            return problem
        return ""
