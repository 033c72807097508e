"""What the journeys share: one claim, a deadline, the pace, and how a claim ends."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, TypeVar

import structlog

from config.settings import Timings
from service.records.transitions import Records, StaleClaim
from service.surveys.errors import Forbidden, NotNow, OutcomeUnknown, Refused, RetryLater, TooEarly
from service.surveys.model import Call, Claim, Journey, Reason, Record
from service.surveys.ports import Deadline, Dixa, Rating, Slot

log = structlog.get_logger()

Result = TypeVar("Result")

NOT_FOUND = 404

_LEAST_TIME = timedelta(seconds=5)
"""No call is begun with less time than this left: it would be cut off and leave its outcome unknown."""


_MAY_PASS = {NOT_FOUND, 409, 423, 425}
"""Not found, in conflict, locked, too early: what Dixa answers while it hasn't caught up with its own event."""

_CATCHES_UP_WITHIN = timedelta(minutes=1)

_FORBIDDEN_TRIES = 10
"""How often what Dixa forbids is tried again. They are RECONCILE_AFTER apart, so the token is asked again meanwhile."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One claim being worked on."""

    claim: Claim
    deadline: Deadline

    @property
    def record(self) -> Record:
        """The record as it was when it was claimed."""
        return self.claim.record


class Traveller(ABC):
    """Takes surveys along one journey: claims, does as many steps as its time allows, and gives the lease back."""

    journey: ClassVar[Journey]
    max_wait: ClassVar[timedelta]
    """How long a claim waits for its first slot. Answers wait longer than offers, so they go first."""

    def __init__(self, records: Records, dixa: Dixa, timings: Timings) -> None:
        self._records = records
        self._dixa = dixa
        self._timings = timings

    def travel(self, survey_id: str) -> None:
        """Work on a survey if it is due and nobody else does. Raises RecordsUnavailable."""
        claim = self._records.claim(self.journey, survey_id)
        if claim is None:
            return
        turn = Turn(claim, Deadline(self._timings.step_budget, claim.record.conversation_id))
        with structlog.contextvars.bound_contextvars(survey_id=survey_id, conversation_id=claim.record.conversation_id):
            try:
                self._advance_or_die(turn)
            except NotNow as error:
                self._records.reschedule(claim, error.retry_in or timedelta(), failed=False)
            except RetryLater as error:
                log.warning("dixa.unavailable", journey=self.journey, problem=str(error))
                self._records.reschedule(claim, self._pause(turn, error), failed=True)
            except StaleClaim as error:
                # Whoever has it now goes on. If that is still us, no script knows this state: try less and less often.
                log.info("claim.stale", journey=self.journey, outcome=str(error))
                self._records.reschedule(claim, self._pause(turn), failed=True)

    def _advance_or_die(self, turn: Turn) -> None:
        try:
            self._advance(turn)
        except Forbidden as error:
            if not self._may_be_allowed(turn):
                self._die(turn, Reason.FORBIDDEN, problem=str(error))
                return
            log.warning("dixa.forbidden", journey=self.journey, problem=str(error))
            self._records.reschedule(turn.claim, max(self._timings.reconcile_after, self._pause(turn)), failed=True)
        except Refused as error:
            self._wait_if_early(turn, error)
            self._die(turn, Reason.NOT_FOUND if error.status == NOT_FOUND else Reason.REFUSED, problem=str(error))

    def _may_be_allowed(self, turn: Turn) -> bool:
        """Say whether a call that is forbidden is tried again: somebody may be changing what the token may do."""
        return self._tries(turn) < _FORBIDDEN_TRIES

    def _wait_if_early(self, turn: Turn, error: Refused) -> None:
        """Raise TooEarly for a refusal that may only mean that Dixa hasn't caught up with itself."""
        if error.status in _MAY_PASS and (wait := self._catches_up_in(turn)):
            raise TooEarly(f"{error}, right after the event: it is tried again", wait) from error

    def _catches_up_in(self, turn: Turn) -> timedelta | None:
        """Say when to look again at what may be older than the event; nothing when that is over.

        It is looked at each time that it is twice as long ago.
        """
        record, now = turn.record, turn.claim.at
        events = (record.accepted_at, record.close and record.close.closed_at, record.offer.offered_at)
        happened_at = max((each for each in events if each and each <= now), default=now)
        age, lag = now - happened_at, self._timings.dixa_lag
        # What happened shortly before an outage may be as new to Dixa after it.
        if age >= lag and age >= lag + self._dixa.downtime(happened_at):
            return None
        return min(max(age, self._timings.backoff_min), _CATCHES_UP_WITHIN)

    @abstractmethod
    def _advance(self, turn: Turn) -> None:
        """Do the steps that the record's state asks for."""

    @property
    @abstractmethod
    def _call_name(self) -> str: ...

    def _slot(self, turn: Turn) -> Slot:
        if not self._has_time(turn):
            raise NotNow("this claim's time is up", timedelta())
        return self._dixa.take_slot(turn.deadline, self.max_wait)

    def _has_time(self, turn: Turn) -> bool:
        """Say whether a call can still be begun."""
        return turn.deadline.remaining() >= min(_LEAST_TIME, self._timings.step_budget / 3).total_seconds()

    def _ratings(self, turn: Turn) -> tuple[Rating, ...]:
        return self._dixa.ratings(self._slot(turn), turn.record.conversation_id)

    def _is_erased(self, turn: Turn) -> bool:
        """Ask Dixa whether the conversation was anonymised. One that it doesn't know isn't known to be.

        Raises Forbidden: nothing is written into what must not be looked at.
        """
        try:
            return self._dixa.conversation(self._slot(turn), turn.record.conversation_id).is_erased
        except Forbidden:
            raise
        except Refused:
            return False

    def _erase(self, turn: Turn) -> None:
        """End all journeys of a conversation that was anonymised."""
        self._records.erase(turn.record)
        log.info("survey.erased", journey=self.journey)

    def _is_settled(self, turn: Turn, call: Call) -> bool:
        """Say whether a marked call must have shown up by now; if not, come back when it must."""
        early = call.sent_at + self._timings.reconcile_after - turn.claim.at
        if early > timedelta():
            self._records.reschedule(turn.claim, early, failed=False)
        return early <= timedelta()

    def _attempt(self, turn: Turn, call: Callable[[], Result]) -> Result | None:
        """Make a marked call and write what is known of it; None unless it certainly succeeded. Raises Refused."""
        try:
            return call()
        except RetryLater as error:
            log.warning("dixa.unavailable", call=self._call_name, problem=str(error))
            self._records.again(turn.claim, self._pause(turn, error), failed=not isinstance(error, NotNow))
        except OutcomeUnknown as error:
            log.warning("dixa.unknown", call=self._call_name, problem=str(error))
            self._records.unknown(turn.claim, self._timings.reconcile_after)
        return None

    def _die(self, turn: Turn, reason: Reason, problem: str) -> None:
        self._records.die(turn.claim, reason)
        log.error("survey.dead", journey=self.journey, reason=reason, problem=problem)

    def _is_late(self, turn: Turn, within: timedelta, is_past: Callable[[timedelta], bool]) -> bool:
        """Return whether something comes too late. The time that Dixa was down doesn't count."""
        return is_past(within) and is_past(within + self._dixa.downtime(turn.record.accepted_at))

    def _tries(self, turn: Turn) -> int:
        record = turn.record
        progress = {Journey.OFFER: record.offer, Journey.ANSWER: record.answer, Journey.FOLLOW_UP: record.follow_up}
        found = progress[self.journey]
        return found.tries if found else 0

    def _pause(self, turn: Turn, error: RetryLater | None = None) -> timedelta:
        """How long to wait before the next try: as told, else doubling with full jitter."""
        if error and error.retry_in is not None:
            return error.retry_in
        most = min(self._timings.backoff_min * 2.0 ** min(self._tries(turn), 30), self._timings.backoff_max)
        return most * random.random()  # noqa: S311 - spreads load, guards nothing


def find_new(ratings: Sequence[Rating], call: Call) -> Rating | None:
    """Find the offer that a lost call made: of its type, and not there before it."""
    return next((each for each in ratings if each.type == call.rating and each.id not in call.seen), None)
