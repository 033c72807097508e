"""The relay: finds due records and queues a task for each. Every worker runs one.

This is the outbox pattern. The record holds the work, and a Celery message only triggers it. A lost message is queued
again, and a duplicate does no harm.
"""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol

import structlog
from celery import bootsteps

from config.settings import Timings
from service.journeys.answer import AnswerJourney
from service.journeys.follow_up import FollowUpJourney
from service.journeys.offer import OfferJourney
from service.queue import QueueUnavailable
from service.records.background import BackgroundLoop, LogEvents
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.surveys.states import Journey

log = structlog.get_logger()

_HOUSEKEEPING_SECONDS = 600.0
"""How often the log repeats that surveys are paused, and Redis may rewrite its file after an erasure."""

_MAX_WAIT = {each.journey: each.max_wait for each in (AnswerJourney, FollowUpJourney, OfferJourney)}
"""How long a claim waits for its first slot. A survey that would wait longer isn't queued yet."""


class TaskQueue(Protocol):
    """The queue of tasks. Both methods raise QueueUnavailable."""

    def publish(self, journey: Journey, survey_id: str) -> None:
        """Queue a task."""

    def length(self) -> int:
        """Return the number of waiting tasks."""


class Pace(Protocol):
    """The pace of calls to Dixa, shared by all workers."""

    def count_free(self, within: timedelta) -> int:
        """Count the first slots free within this time, without reserving any."""


class Relay:
    """Queues due surveys at each `relay_interval`. Without a claim, one is due again after `requeue_after`."""

    def __init__(self, records: Records, queue: TaskQueue, timings: Timings, pace: Pace) -> None:
        self._records = records
        self._queue = queue
        self._pace = pace
        self._timings = timings
        self._housekeeping_at = 0.0
        self._room: Callable[[], int] = lambda: 0
        self.loop = BackgroundLoop(
            self._step,
            timings.relay_interval,
            LogEvents("relay.failed", "relay.recovered", "relay.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable | QueueUnavailable) else "",
            prepare=records.report_problems,
        )

    def start(self, room: Callable[[], int]) -> None:
        """Queue due surveys in the thread of `loop`. `room` returns how many tasks may wait in the queue."""
        self._room = room
        self.loop.start("relay")

    def relay_once(self, room: int) -> int:
        """Queue due surveys, answers first, until `room` tasks wait. Return how many were queued.

        No more are queued than the pace can begin, however many relays there are. Follow-ups have a share of their own,
        which a backlog can't take: an alert is urgent, and may need no slot.
        """
        before = waiting = self._queue.length()
        # After an outage a spool may hold a later answer than the record, so answers wait until spools are drained.
        is_recovering = self._records.is_recovering(self._timings.recovery_wait)
        for journey in (Journey.ANSWER, Journey.FOLLOW_UP, Journey.OFFER):
            if journey is Journey.ANSWER and is_recovering:
                continue
            begins = self._pace.count_free(_MAX_WAIT[journey]) - waiting
            if journey is Journey.FOLLOW_UP:
                begins = min(max(1, begins), max(1, room // 4))
            limit = min(room - waiting, begins)
            for survey_id in self._records.take_due(journey, limit, self._timings.requeue_after) if limit > 0 else ():
                self._queue.publish(journey, survey_id)
                waiting += 1
        return waiting - before

    def _step(self) -> None:
        self.relay_once(self._room())
        if monotonic() >= self._housekeeping_at:
            self._housekeeping_at = monotonic() + _HOUSEKEEPING_SECONDS
            if since := self._records.paused_since():
                log.warning("surveys.paused", since=since, to_resume="afterword resume")
            self._records.rewrite_if_erased()


class RelayStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the relay of the app in a thread of the worker, after its pool has started."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Start with the worker."""
        # 100,000 due records must not flood the queue. Two tasks a thread keep all threads busy; the rest stays due.
        worker.app.relay.start(lambda: 2 * worker.concurrency)

    def stop(self, worker: Any) -> None:
        """Stop with the worker."""
        worker.app.relay.loop.stop()
