"""The relay: takes what is due from the records and queues a task for each, in every worker, side by side.

This is the outbox pattern: the records say what is to be done, a Celery message only says "look now". Whatever is
lost on the way is taken again; copies are harmless.
"""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from time import monotonic
from traceback import format_tb
from typing import Any, Protocol

import structlog
from celery import bootsteps

from config.settings import Timings
from service.journeys.answer import AnswerJourney
from service.journeys.follow_up import FollowUpJourney
from service.journeys.offer import OfferJourney
from service.queue import QueueUnavailable
from service.records.complaint import Complaint
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.surveys.model import Journey

log = structlog.get_logger()

_REMIND_SECONDS = 600.0
"""How often the log says that nobody is asked."""

_BEGIN_WITHIN = {each.journey: each.max_wait for each in (AnswerJourney, FollowUpJourney, OfferJourney)}
"""How long a claim of each waits for its first slot: whoever would wait longer isn't queued yet."""


class TaskQueue(Protocol):
    """What the relay needs of the queue. Both raise QueueUnavailable."""

    def publish(self, journey: Journey, survey_id: str) -> None:
        """Queue a task."""

    def length(self) -> int:
        """Count the tasks that wait."""


class Pace(Protocol):
    """What the relay needs of the pace that all workers share."""

    def count_free(self, within: timedelta) -> int:
        """Count the first slots that are free within this time, and reserve none."""


class Relay:
    """Looks every `relay_interval`; what it took comes due again after `requeue_after` unless a task claimed it."""

    def __init__(self, records: Records, queue: TaskQueue, timings: Timings, pace: Pace) -> None:
        self._records = records
        self._queue = queue
        self._pace = pace
        self._timings = timings
        self._remind_at = 0.0
        self._stopping = Event()

    def run(self, room: Callable[[], int]) -> None:
        """Relay until `stop`; `room` says how many tasks may wait in the queue."""
        self._problem(self._records.report_problems)
        complaint = Complaint("relay.failed", "relay.recovered")
        while not self._stopping.wait(self._timings.relay_interval.total_seconds()):
            complaint.tell(self._problem(lambda: self._step(room()), before=complaint.problem))

    def _step(self, room: int) -> None:
        self.relay_once(room)
        if monotonic() >= self._remind_at:
            self._remind_at = monotonic() + _REMIND_SECONDS
            # An operator who has paused all asking must not forget it.
            if since := self._records.paused_since():
                log.warning("asking.paused", since=since, to_go_on="afterword resume")
            self._records.rewrite_if_erased()

    def _problem(self, act: Callable[[], object], before: str = "") -> str:
        """Act and say what went wrong. A thread that ended here would leave a worker that does nothing any more."""
        try:
            act()
        except (RecordsUnavailable, QueueUnavailable) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may do better
            problem = type(error).__name__
            if problem != before:
                # Where it was, and not what it says: that may quote a customer.
                log.error("relay.broken", problem=problem, where="".join(format_tb(error.__traceback__)))  # noqa: TRY400
            return problem
        return ""

    def relay_once(self, room: int) -> int:
        """Queue due surveys, answers first, until `room` tasks wait; returns how many it queued.

        Admission: no more are queued than the pace can begin, whatever the number of relays. What follows an answer has
        a share that a backlog can't take: an alert is for now, and may need no slot.
        """
        before = waiting = self._queue.length()
        # After an outage answers wait a little: a spool may hold a later one than the record does.
        is_recovering = self._records.is_recovering(self._timings.recovery_wait)
        for journey in (Journey.ANSWER, Journey.FOLLOW_UP, Journey.OFFER):
            if journey is Journey.ANSWER and is_recovering:
                continue
            begins = self._pace.count_free(_BEGIN_WITHIN[journey]) - waiting
            if journey is Journey.FOLLOW_UP:
                begins = min(max(1, begins), max(1, room // 4))
            most = min(room - waiting, begins)
            for survey_id in self._records.take_due(journey, most, self._timings.requeue_after) if most > 0 else ():
                self._queue.publish(journey, survey_id)
                waiting += 1
        return waiting - before

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()


class RelayStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the app's relay as a thread of the worker, once its pool is there."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._thread: Thread | None = None

    def start(self, worker: Any) -> None:
        """Begin when the worker has started its pool."""
        # 100,000 due records must not flood Redis: the rest stays due.
        self._thread = Thread(
            target=worker.app.relay.run, args=(lambda: 2 * worker.concurrency,), name="relay", daemon=True
        )
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """End with the worker."""
        worker.app.relay.stop()
        if self._thread:
            self._thread.join(timeout=5)
