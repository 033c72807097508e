"""The relay: finds due records and queues a task for each. Every worker runs one.

This is the outbox pattern. The record holds the work, and a message only triggers it. A lost message is queued again,
and a duplicate does no harm.
"""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Protocol

import structlog

from config.settings import Timings
from service.journeys.answer import AnswerJourney
from service.journeys.follow_up import FollowUpJourney
from service.journeys.offer import OfferJourney
from service.records.background import BackgroundLoop, LogEvents
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.records.tasks import Quota, Relayed
from service.surveys.states import Journey

log = structlog.get_logger()

_HOUSEKEEPING_SECONDS = 600.0
"""How often the log repeats that surveys are paused, and Redis may rewrite its file after an erasure."""

_MAX_WAITS = [each.max_wait for each in (AnswerJourney, FollowUpJourney, OfferJourney)]
"""How long a claim waits for its first slot. A survey that would wait longer isn't queued yet."""
_MIN_WAIT = timedelta(milliseconds=20)
"""Surveys due within this time of each other are queued together."""
_BATCH, _BATCH_TIME = 4, timedelta(milliseconds=1250)
"""How many tasks end before the surveys left get a look, and how long after the first of them at most. Meanwhile the
claims that have begun use the slots."""
_ENDS = 4
"""The webhooks have queued tasks up to a number. After so many ends, surveys may be due that they have not queued."""
_NOTHING = [Quota(journey, free=0, most=0) for journey in Journey]


class Pace(Protocol):
    """The pace of calls to Dixa, shared by all workers."""

    def count_free(self, *within: timedelta) -> list[int]:
        """Count the first slots free within each of these times, without reserving any."""


class Relay:
    """Queues surveys when they are due. Without a claim, one is due again after `requeue_after`.

    It looks at each `relay_interval`, and sooner if it knows of a survey due sooner.
    """

    def __init__(self, records: Records, timings: Timings, pace: Pace) -> None:
        self._records = records
        self._pace = pace
        self._timings = timings
        self._housekeeping_at = 0.0
        self._room: Callable[[], int] = lambda: 0
        self._expects_due = True
        self._is_more = False
        self._ends_left = 0
        self.loop = BackgroundLoop(
            self._step,
            timings.relay_interval,
            LogEvents("relay.failed", "relay.recovered", "relay.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable) else "",
            prepare=records.report_problems,
        )

    def start(self, room: Callable[[], int]) -> None:
        """Queue due surveys in the thread of `loop`. `room` returns how many tasks may wait in the queue."""
        self._room = room
        self.loop.wake()
        self.loop.start("relay")

    def task_ended(self, due_within: timedelta | None) -> None:
        """Look again when the task's survey is due again. While surveys are left, look when some tasks have ended.

        Safe for threads. A look missed in a race comes after `relay_interval`.
        """
        if due_within is not None and due_within < self._timings.relay_interval:
            self._expects_due = True
            self.loop.wake(due_within)
        self._ends_left -= 1
        if self._ends_left <= 0:
            self.loop.wake()
        elif self._is_more:
            self.loop.wake(_BATCH_TIME)

    def relay_once(self, room: int) -> Relayed:
        """Queue due surveys, answers first, until `room` tasks wait.

        No more are queued than the pace can begin, however many relays there are. Follow-ups have a share of their own,
        which a backlog can't take: an alert is urgent, and may need no slot.
        """
        answers, follow_ups, offers = self._pace.count_free(*_MAX_WAITS)
        # After an outage a spool may hold a later answer than the record, so answers wait until spools are drained.
        is_recovering = self._records.is_recovering(self._timings.recovery_wait)
        quotas = (
            Quota(Journey.ANSWER, answers, most=0 if is_recovering else room),
            Quota(Journey.FOLLOW_UP, follow_ups, most=max(1, room // 4), least=1),
            Quota(Journey.OFFER, offers, most=room),
        )
        return self._records.queue_due(quotas, room, self._timings.requeue_after)

    def _look(self) -> Relayed:
        # Otherwise each task would wait for the replicas, in vain.
        self._records.require_replicas()
        if not self._expects_due:
            # Without a due survey the pace isn't counted, which costs more than the look.
            found = self._records.queue_due(_NOTHING, 0, self._timings.requeue_after)
            if not found.is_more:
                return found
        return self.relay_once(self._room())

    def _step(self) -> timedelta | None:
        relayed = self._look()
        soon = relayed.next_due is not None and relayed.next_due <= self._timings.relay_interval
        self._expects_due = relayed.is_more or soon
        self._is_more = relayed.is_more
        # A worker with few threads has a short queue, which must not run empty.
        batch = min(_BATCH, max(1, self._room() // 2))
        self._ends_left = max(batch, relayed.waiting // 2) if relayed.is_more else _ENDS
        if monotonic() >= self._housekeeping_at:
            self._housekeeping_at = monotonic() + _HOUSEKEEPING_SECONDS
            if since := self._records.paused_since():
                log.warning("surveys.paused", since=since, to_resume="afterword resume")
            self._records.rewrite_if_erased()
            self._records.trim_ended()
        # While surveys are left, the next one due only joins them.
        return None if relayed.is_more or relayed.next_due is None else max(relayed.next_due, _MIN_WAIT)
