"""Delivery of the link, through the first working channel."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from service.journeys.attempt import Attempt
from service.journeys.next_step import Continue, Done, Fail, Next, Wait
from service.records.channels import Channels
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.rules import decision
from service.rules.matching import find_exclusion
from service.rules.send_window import next_opening
from service.rules.suppression import SuppressionPolicy
from service.surveys.definition import Survey
from service.surveys.errors import (
    CallError,
    ChannelDown,
    DeliveryRefused,
    DeliveryUnknown,
    Forbidden,
    NotDelivered,
    NotNow,
    OutcomeUnknown,
    Refused,
    RetryLater,
    Unconfirmable,
)
from service.surveys.links import Link, Links
from service.surveys.model import UNCONFIRMED, Record
from service.surveys.ports import Delivery
from service.surveys.reasons import Reason
from service.surveys.states import OfferState

log = structlog.get_logger()

_ALL_DOWN = "all channels of this survey are down"


@dataclass(frozen=True, slots=True)
class LinkSender:
    """Sends the link once the offers are made. `deliveries` are the channels by name, `health` knows those down."""

    records: Records
    links: Links
    deliveries: dict[str, Delivery]
    suppression: SuppressionPolicy
    health: Channels

    # ── Steps of the offer journey ────────────────────────────────────────────────────────────────────────────────────

    def resume(self, attempt: Attempt) -> Next:
        """Go on with a delivery that has begun, or may have before a restore. First check for its arrival."""
        record = attempt.record
        delivery = next(self._usable(record), None)
        if delivery is None:
            return Fail(Reason.UNREACHABLE, "its channel is no longer set up")
        self.records.begin_delivery(attempt.claim, delivery.name)
        try:
            has_arrived = delivery.reconcile(record, attempt.deadline)
        except (RetryLater, OutcomeUnknown, Unconfirmable) as error:
            return self._after_unknown(attempt, delivery, error)
        if has_arrived:
            return self._delivered(attempt, delivery)
        if has_arrived is None and is_too_late(attempt):
            return self._delivered(attempt, delivery, UNCONFIRMED)
        return self.recheck_and_send(attempt)

    def recheck_and_send(self, attempt: Attempt) -> Next:
        """Check again what may have changed since the decision, then send the link."""
        step = self._recheck(attempt)
        return self.send(attempt.with_record(step.record)) if isinstance(step, Continue) else step

    def send(self, attempt: Attempt) -> Next:
        """Send the link by the first usable channel."""
        delivery = self.reserve(attempt.record)
        if delivery is None:
            return Fail(Reason.UNREACHABLE, "no channel can reach the customer now")
        self.records.begin_delivery(attempt.claim, delivery.name)
        try:
            self.hand_over(attempt, delivery)
        except NotDelivered as error:
            return self._after_failure(attempt, delivery, error)
        except Refused as error:
            return self._after_refusal(attempt, delivery, error)
        except CallError as error:
            return self._after_unknown(attempt, delivery, error)
        return self._delivered(attempt, delivery)

    def _recheck(self, attempt: Attempt) -> Continue | Next:
        """Check the facts of the decision again. Continue with an up-to-date record."""
        record = attempt.record
        if is_too_late(attempt):
            return Fail(Reason.TOO_LATE, "the link could not be delivered in time")
        if wait := opens_in(record, attempt.at):
            return Wait(wait)
        self.require_channel(record)
        conversation = attempt.closed_conversation()
        if self.suppression.has_opted_out(record, conversation):
            return Fail(Reason.OPTED_OUT, "the customer has opted out since the decision")
        if exclusion := find_exclusion(conversation):
            return Fail(exclusion, "the conversation has changed since the decision")
        return Continue(replace(record, open_until=conversation.open_until))

    def _delivered(self, attempt: Attempt, delivery: Delivery, note: str = "") -> Done:
        self.records.delivered(attempt.claim, note)
        log.info("survey.delivered", channel=delivery.name, note=note or None)
        return Done()

    def _after_failure(self, attempt: Attempt, delivery: Delivery, error: NotDelivered) -> Next:
        """Nothing was delivered. Try this channel later, or another one now if this one is down."""
        log.warning("delivery.unavailable", channel=delivery.name, problem=str(error))
        self.records.delivery_failed(attempt.claim, delivery.name, for_good=False)
        if isinstance(error, ChannelDown):
            # `reserve` passes over this channel now: it is known to be down.
            return self.send(attempt.with_record(_back_to_offered(attempt.record)))
        return Wait(attempt.backoff(error), is_failure=True)

    def _after_refusal(self, attempt: Attempt, delivery: Delivery, error: Refused) -> Next:
        """Go on to the next usable channel. Raises the refusal if there is none."""
        if wait := attempt.lag_wait(error):
            return Wait(wait)
        rest = _back_to_offered(attempt.record, delivery.name)
        has_another = any(True for _ in self._usable(rest))
        # A forbidden call may be allowed soon, so the last channel is given up no sooner than the survey.
        if has_another or not isinstance(error, Forbidden):
            self.records.delivery_failed(attempt.claim, delivery.name, for_good=True)
        if not has_another:
            raise error
        log.warning("delivery.refused", channel=delivery.name, problem=str(error))
        return self.send(attempt.with_record(rest))

    def _after_unknown(self, attempt: Attempt, delivery: Delivery, error: CallError) -> Next:
        """Come back to a delivery that may have arrived. When it is too late for that, it counts as delivered."""
        is_over = isinstance(error, Unconfirmable) or is_too_late(attempt)
        if isinstance(error, NotNow) or (isinstance(error, RetryLater) and not is_over):
            raise error
        if isinstance(error, RetryLater) and attempt.record.offer.state is not OfferState.DELIVERING:
            # This call did nothing, and there was none before it.
            return Fail(Reason.TOO_LATE, str(error))
        log.warning("delivery.unconfirmed", channel=delivery.name, problem=str(error))
        if is_over:
            return self._delivered(attempt, delivery, UNCONFIRMED)
        return Wait(attempt.reconcile_backoff(), is_failure=True)

    # ── Channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def reserve(self, record: Record) -> Delivery | None:
        """Return the first usable channel in working order, or due for a try by this survey. None if none is usable.

        Raises NotNow while all usable channels are down.
        """
        waits: list[timedelta] = []
        for each in self._usable(record):
            wait = self.acquire(each, record)
            if wait is None:
                return each
            waits.append(wait)
        if waits:
            raise NotNow(_ALL_DOWN, min(waits))
        return None

    def acquire(self, delivery: Delivery, record: Record) -> timedelta | None:
        """Take the try of a channel that is down. Return how long to leave it alone, or None to use it now."""
        return self.health.begin(_health_name(delivery, record.terms), record.survey_id)

    def require_channel(self, record: Record) -> None:
        """Raise NotNow while all channels of the candidates are down. Saves the queries to Dixa."""
        names = {
            _health_name(delivery, terms)
            for terms in record.candidates
            # The sender depends on the language, and Dixa's is not known yet.
            for spoken in (record.offer.language, *terms.senders)
            for delivery in self._usable(replace(record, terms=terms, offer=replace(record.offer, language=spoken)))
        }
        waits = []
        for name in names:
            wait = self.health.wait(name, record.survey_id)
            if wait is None:
                return
            waits.append(wait)
        if waits:
            raise NotNow(_ALL_DOWN, min(waits))

    def hand_over(self, attempt: Attempt, delivery: Delivery) -> None:
        """Let a channel deliver, and record for all workers whether it works. Raises as the channel does."""
        record = attempt.record
        if not delivery.can_reach(record):
            raise DeliveryRefused("it can't reach the customer now")
        name = _health_name(delivery, record.terms)
        try:
            delivery.deliver(record, self.links.url(Link.to(record)), attempt.deadline)
        except CallError as error:
            # An earlier try may have arrived, so a channel may hide its failure behind an unknown outcome.
            cause = error.__cause__ if isinstance(error.__cause__, NotDelivered) else error
            if isinstance(cause, NotDelivered | DeliveryUnknown | DeliveryRefused | Forbidden):
                with suppress(RecordsUnavailable):
                    self.health.failed(name, record.survey_id, str(cause), is_certain=isinstance(cause, ChannelDown))
            raise
        with suppress(RecordsUnavailable):
            self.health.works(name, record.survey_id)

    def _usable(self, record: Record) -> Iterator[Delivery]:
        """Yield the channels able to reach the customer. A delivery stays with its channel once begun."""
        begun, names = record.offer.channel, record.terms.deliver if record.terms else ()
        for name in [begun] if begun else names:
            delivery = self.deliveries.get(name)
            if delivery and (begun or (name not in record.offer.failed and delivery.can_reach(record))):
                yield delivery


def opens_in(record: Record, moment: datetime) -> timedelta:
    """Return the time until the send window opens; zero while it is open, or if several surveys are candidates."""
    if len(record.candidates) != 1:
        return timedelta()
    return next_opening(record.candidates[0].send_window, moment) - moment


def is_too_late(attempt: Attempt, terms: Survey | None = None) -> bool:
    """Return whether the link can't be delivered in time any more, by these terms or the record's."""
    record = attempt.record
    close, survey = record.close, terms or record.terms
    if close is None or survey is None:
        return False
    within = attempt.timings.offer_max_age
    return attempt.is_late(within, lambda longest: decision.is_too_late(record, close, survey, attempt.at, longest))


def _health_name(delivery: Delivery, terms: Survey | None) -> str:
    """Name a channel for its health. A survey's own sender may be refused while others work."""
    return f"{delivery.name} of {terms.name}" if terms and terms.senders else delivery.name


def _back_to_offered(record: Record, *failed: str) -> Record:
    """Return the record as it is before a delivery begins, without the failed channel."""
    offer = replace(record.offer, state=OfferState.OFFERED, channel="", failed=(*record.offer.failed, *failed))
    return replace(record, offer=offer)
