"""Looks for missed closes, slowly, in one worker at a time."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Event
from typing import Final

import structlog

from config.settings import Settings, Timings
from service.dixa.client import DixaClient
from service.dixa.closes import DixaCloses
from service.dixa.low_priority import LowPriorityDixa
from service.intake.intake import Intake, NotKept
from service.intake.missed import ClosesInDixa, MissedCloses, SeenClose
from service.records.background import BackgroundLoop, LogEvents
from service.records.missed import MissedBookmark, Stretch
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.rules.identity import Identities
from service.surveys.errors import CallError, NotNow, Refused, RetryLater

log = structlog.get_logger()

_SHARE: Final = 0.1
"""The share of DIXA_PACE."""
_MAX_TRIES: Final = 6
"""So many looks at a stretch wait for conversations that Dixa can't show. Then they are given up."""


class _Interrupted(Exception):
    """The worker stops, or has lost its lease. The stretch comes again."""


class MissedLoop:
    """Runs the search in the thread of `loop`. `open_closes` returns Dixa's side, for one stretch of time."""

    def __init__(
        self,
        records: Records,
        intake: Intake,
        timings: Timings,
        open_closes: Callable[[Callable[[float], object]], ClosesInDixa],
    ) -> None:
        self._records = records
        self._intake = intake
        self._timings = timings
        self._open_closes = open_closes
        self._bookmark = MissedBookmark.beside(records)
        self._is_stopping = Event()
        self._problem = ""
        self.loop = BackgroundLoop(
            self.step,
            timings.recover_interval,
            LogEvents("recover.failed", "recover.recovered", "recover.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable | NotKept | CallError) else "",
        )

    def start(self) -> None:
        """Begin with a look at the bookmark."""
        self.loop.wake()
        self.loop.start("missed-closes")

    def stop(self) -> None:
        """End soon. A wait for the rate limit ends at once."""
        self._is_stopping.set()
        self.loop.stop()

    def step(self) -> timedelta | None:
        """Look at the next stretch of time, if it is due and no other worker does."""
        timings = self._timings
        stretch = self._bookmark.claim(
            every=timings.recover_interval, lag=timings.dixa_lag, max_age=timings.offer_max_age
        )
        if isinstance(stretch, timedelta):
            return stretch
        is_over, problem = False, ""
        with suppress(_Interrupted):
            try:
                closes = self._open_closes(self._wait)
                problem = closes.problem()
                is_over = bool(problem) or self._look(closes, stretch)
            finally:
                with suppress(RecordsUnavailable):
                    self._bookmark.finish(stretch, problem) if is_over else self._bookmark.give_up()
        if problem != self._problem:
            self._problem = problem
            log.warning("recover.passed_over", problem=problem) if problem else log.info("recover.resumed")
        return timedelta() if is_over else None

    def _look(self, closes: ClosesInDixa, stretch: Stretch) -> bool:
        """Take the missed closes of a stretch. Return False if it must come again. Raises _Interrupted."""
        missed = MissedCloses(self._records, self._intake, closes)
        found = missed.find(stretch.since, stretch.until, lambda _count: self._extend())
        taken, failed = 0, 0
        for seen in found.missed:
            self._extend()
            try:
                taken += self._take(missed, seen)
            except NotNow:
                raise
            except (Refused, RetryLater) as error:
                is_given_up = isinstance(error, Refused) or stretch.tries >= _MAX_TRIES
                failed += not is_given_up
                note = log.error if is_given_up else log.warning
                note("close.unreadable", conversation_id=seen.conversation_id, problem=str(error))
        if found.missed:
            times = {"since": stretch.since.isoformat(), "until": stretch.until.isoformat()}
            log.warning("closes.missed", **times, among=found.among, missed=len(found.missed), taken=taken)
        return not failed

    def _take(self, missed: MissedCloses, seen: SeenClose) -> bool:
        with structlog.contextvars.bound_contextvars(conversation_id=seen.conversation_id):
            is_taken = missed.take(seen)
        if is_taken:
            self._bookmark.note_missed()
        return is_taken

    def _extend(self) -> None:
        if not self._bookmark.extend():
            raise _Interrupted

    def _wait(self, seconds: float) -> None:
        if self._is_stopping.wait(seconds):
            raise _Interrupted


def open_missed_loop(settings: Settings, records: Records, dixa: DixaClient) -> MissedLoop:
    """Make the loop. `dixa` pauses nobody else when it is refused: the workers never search."""
    rate = settings.total_rate * _SHARE
    intake = Intake(
        records, settings.surveys, None, Identities(settings.secret_keys), own_addresses=settings.own_addresses
    )
    return MissedLoop(
        records, intake, settings.timings, lambda wait: DixaCloses(settings, dixa, LowPriorityDixa(dixa, rate, wait))
    )
