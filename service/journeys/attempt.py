"""One claim being worked on: its deadline, its queries to Dixa, and how long to wait after a failure."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from config.settings import Timings
from service.journeys.next_step import CallFailed, CallLost
from service.rules.matching import may_predate_close
from service.surveys.errors import ConversationErased, Forbidden, NotNow, OutcomeUnknown, Refused, RetryLater
from service.surveys.model import Call, Claim, Record
from service.surveys.ports import Conversation, Deadline, Dixa, Message, Rating, Slot
from service.surveys.states import Journey

log = structlog.get_logger()

Result = TypeVar("Result")

NOT_FOUND = 404

_MIN_CALL_TIME = timedelta(seconds=5)
"""A call with less time left would be cut off, and its outcome unknown."""

_TRANSIENT_STATUSES = {NOT_FOUND, 409, 423, 425}
"""Not found, conflict, locked, too early: Dixa's responses while it lags behind its own event."""

_MAX_LAG_WAIT = timedelta(minutes=1)

_MAX_FORBIDDEN_RETRIES = 10
"""These tries are at least RECONCILE_AFTER apart, long enough for the token check to run again in between."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claim, and the record as it is at the current step. `max_wait` is for the claim's first slot."""

    claim: Claim
    deadline: Deadline
    dixa: Dixa
    timings: Timings
    max_wait: timedelta

    @property
    def record(self) -> Record:
        """The record as of the latest step."""
        return self.claim.record

    @property
    def at(self) -> datetime:
        """When it was claimed, by Redis's clock."""
        return self.claim.at

    def with_record(self, record: Record) -> "Attempt":
        """Return the same attempt with the record after a step."""
        return replace(self, claim=replace(self.claim, record=record))

    # ── Calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def has_time(self) -> bool:
        """Return whether another call can begin before the deadline."""
        return self.deadline.remaining() >= min(_MIN_CALL_TIME, self.timings.step_budget / 3).total_seconds()

    def slot(self) -> Slot:
        """Take a slot of the rate limit. Raises NotNow."""
        if not self.has_time():
            raise NotNow("this claim's time is up", timedelta())
        return self.dixa.take_slot(self.deadline, self.max_wait)

    def conversation(self) -> Conversation:
        """Fetch the conversation. Raises ConversationErased."""
        conversation = self.dixa.conversation(self.slot(), self.record.conversation_id)
        if conversation.is_erased:
            raise ConversationErased
        return conversation

    def closed_conversation(self) -> Conversation:
        """Fetch the conversation. Raises NotNow while Dixa may still show it as it was before its close."""
        conversation = self.conversation()
        close = self.record.close
        if close and may_predate_close(conversation, close) and (wait := self.lag_wait()):
            raise NotNow("Dixa shows the conversation open, as before its close", wait)
        return conversation

    def ratings(self) -> tuple[Rating, ...]:
        """Fetch the ratings of the conversation."""
        return self.dixa.ratings(self.slot(), self.record.conversation_id)

    def messages(self) -> tuple[Message, ...]:
        """Fetch the messages of the conversation."""
        return self.dixa.messages(self.slot(), self.record.conversation_id)

    def tags(self) -> tuple[str, ...]:
        """Fetch the tags of the conversation."""
        return self.dixa.conversation_tags(self.slot(), self.record.conversation_id)

    def refuse_erased(self) -> None:
        """Raise ConversationErased if Dixa shows the conversation as anonymised. An unknown conversation isn't.

        Each claim fetches the conversation before it writes into it: by this, or because it needs its facts. Raises
        Forbidden, since nothing may be written into an unreadable conversation.
        """
        try:
            self.conversation()
        except Forbidden:
            raise
        except Refused:
            return

    def make(self, call: Callable[[], Result]) -> Result | CallFailed | CallLost:
        """Make a call after its `begin_call`. Raises Refused."""
        try:
            return call()
        except RetryLater as error:
            log.warning("call.failed", journey=self.claim.journey, problem=str(error))
            return CallFailed(self.backoff(error), is_failure=not isinstance(error, NotNow))
        except OutcomeUnknown as error:
            log.warning("call.lost", journey=self.claim.journey, problem=str(error))
            return CallLost()

    # ── Waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def tries(self) -> int:
        """The number of failed tries of this journey so far."""
        record = self.record
        progress = {Journey.OFFER: record.offer, Journey.ANSWER: record.answer, Journey.FOLLOW_UP: record.follow_up}
        found = progress[self.claim.journey]
        return found.tries if found else 0

    def backoff(self, error: RetryLater | None = None) -> timedelta:
        """Return the time until the next try: as the error says, else exponential with full jitter."""
        if error and error.retry_in is not None:
            return error.retry_in
        longest = min(self.timings.backoff_min * 2.0 ** min(self.tries, 30), self.timings.backoff_max)
        return longest * random.random()  # noqa: S311 - spreads load, guards nothing

    def reconcile_in(self, call: Call) -> timedelta:
        """Return how long a lost call may still be missing from Dixa's lists; zero once it must be there."""
        return max(call.sent_at + self.timings.reconcile_after - self.at, timedelta())

    def reconcile_backoff(self) -> timedelta:
        """Return the backoff, but long enough for a lost call to show up in Dixa's lists."""
        return max(self.timings.reconcile_after, self.backoff())

    def may_be_allowed(self) -> bool:
        """Return whether a forbidden call is tried again: an operator may be changing the token's rights."""
        return self.tries < _MAX_FORBIDDEN_RETRIES

    def lag_wait(self, refusal: Refused | None = None) -> timedelta | None:
        """Return when to ask again because Dixa may lag behind its own event; None once it can't any more.

        The wait doubles each time. A refusal counts only if its status can come from such a lag.
        """
        if refusal and refusal.status not in _TRANSIENT_STATUSES:
            return None
        happened_at = self._latest_event_at()
        age, lag = self.at - happened_at, self.timings.dixa_lag
        # An event from shortly before an outage may be just as new to Dixa after it.
        if age < lag or age < lag + self.dixa.downtime(happened_at):
            return min(max(age, self.timings.backoff_min), _MAX_LAG_WAIT)
        return None

    def _latest_event_at(self) -> datetime:
        """Return when Dixa's latest event known to us happened. A clock may be wrong, so the future doesn't count."""
        record = self.record
        events = (record.accepted_at, record.close and record.close.closed_at, record.offer.offered_at)
        return max((each for each in events if each and each <= self.at), default=self.at)

    def is_late(self, within: timedelta, is_past: Callable[[timedelta], bool]) -> bool:
        """Return whether the time `within` is over. Dixa's downtime doesn't count."""
        return is_past(within) and is_past(within + self.dixa.downtime(self.record.accepted_at))
