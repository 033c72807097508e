"""Delivery of the link, through the first working channel."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
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


class LinkSender:
    """Sends the link once the offers are made. `health` knows the channels that are down for all surveys."""

    def __init__(
        self,
        records: Records,
        *,
        links: Links,
        deliveries: Sequence[Delivery],
        suppression: SuppressionPolicy,
        health: Channels,
    ) -> None:
        self._records = records
        self._health = health
        self._links = links
        self._suppression = suppression
        self._deliveries = {delivery.name: delivery for delivery in deliveries}

    # ── Steps of the offer journey ────────────────────────────────────────────────────────────────────────────────────

    def resume(self, attempt: Attempt) -> Next:
        """Go on with an earlier delivery, certain or (after a restore) possible. First check for its arrival."""
        record = attempt.record
        delivery = next(self._usable(record), None)
        if delivery is None:
            return Fail(Reason.UNREACHABLE, "its channel is no longer set up")
        if record.offer.state is OfferState.OFFERED:
            self._records.begin_delivery(attempt.claim, delivery.name)
        try:
            has_arrived = delivery.reconcile(record, attempt.deadline)
        except (RetryLater, OutcomeUnknown, Unconfirmable) as error:
            return self._wait_or_give_up(attempt, delivery, error)
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
        record = attempt.record
        delivery = self.reserve(record)
        if delivery is None:
            return Fail(Reason.UNREACHABLE, "no channel can reach the customer now")
        if not delivery.can_reach(record):
            return self._give_up_channel(attempt, delivery, DeliveryRefused("it can't reach the customer now"))
        self._records.begin_delivery(attempt.claim, delivery.name)
        try:
            self.hand_over(attempt, delivery)
        except ChannelDown as error:
            log.warning("delivery.unavailable", channel=delivery.name, problem=str(error))
            self._records.delivery_failed(attempt.claim, delivery.name, for_good=False)
            # `reserve` passes over this channel now: it is known to be down.
            return self.send(attempt.with_record(_back_to_offered(record)))
        except NotDelivered as error:
            log.warning("delivery.unavailable", channel=delivery.name, problem=str(error))
            self._records.delivery_failed(attempt.claim, delivery.name, for_good=False)
            return Wait(attempt.backoff(error), is_failure=True)
        except Refused as error:
            if wait := attempt.lag_wait(error):
                return Wait(wait)
            return self._give_up_channel(attempt, delivery, error)
        except (RetryLater, OutcomeUnknown, Unconfirmable) as error:
            return self._wait_or_give_up(attempt, delivery, error)
        return self._delivered(attempt, delivery)

    def _recheck(self, attempt: Attempt) -> Continue | Next:
        """Check the facts of the decision again. Continue with an up-to-date record."""
        record = attempt.record
        if is_too_late(attempt):
            return Fail(Reason.TOO_LATE, "the link could not be delivered in time")
        if wait := opens_in([record.terms] if record.terms else [], attempt.at):
            return Wait(wait)
        self.require_channel(record)
        conversation = attempt.closed_conversation()
        if self._suppression.has_opted_out(record, conversation):
            return Fail(Reason.OPTED_OUT, "the customer has opted out since the decision")
        if exclusion := find_exclusion(conversation, (), ()):
            return Fail(exclusion.reason, "the conversation has changed since the decision")
        return Continue(replace(record, open_until=conversation.open_until))

    def _delivered(self, attempt: Attempt, delivery: Delivery, note: str = "") -> Done:
        self._records.delivered(attempt.claim, note)
        log.info("survey.delivered", channel=delivery.name, note=note or None)
        return Done()

    def _wait_or_give_up(self, attempt: Attempt, delivery: Delivery, error: CallError) -> Next:
        """Come back to a delivery with an unknown outcome, within OFFER_MAX_AGE."""
        is_over = isinstance(error, Unconfirmable) or is_too_late(attempt)
        if isinstance(error, RetryLater) and (not is_over or isinstance(error, NotNow)):
            raise error
        log.warning("delivery.unconfirmed", channel=delivery.name, problem=str(error))
        if not is_over:
            return Wait(attempt.reconcile_backoff(), is_failure=True)
        if isinstance(error, RetryLater) and attempt.record.offer.state is not OfferState.DELIVERING:
            return Fail(Reason.TOO_LATE, str(error))
        return self._delivered(attempt, delivery, UNCONFIRMED)

    def _give_up_channel(self, attempt: Attempt, delivery: Delivery, error: Refused) -> Next:
        """Go on to the next usable channel. Raises the refusal if there is none."""
        record = attempt.record
        rest = _back_to_offered(record, failed=(*record.offer.failed, delivery.name))
        has_another = any(True for _ in self._usable(rest))
        # A forbidden call may be allowed soon, so the last channel is given up no sooner than the survey.
        if has_another or not isinstance(error, Forbidden):
            self._records.delivery_failed(attempt.claim, delivery.name, for_good=True)
        if not has_another:
            raise error
        log.warning("delivery.refused", channel=delivery.name, problem=str(error))
        return self.send(attempt.with_record(rest))

    # ── Channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, name: str) -> Delivery | None:
        """Return the channel of this name, if it is set up."""
        return self._deliveries.get(name)

    def reserve(self, record: Record) -> Delivery | None:
        """Return the first usable channel that isn't down, or None. Raises NotNow if all are down."""
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
        return self._health.begin(_health_name(delivery, record.terms), record.survey_id)

    def require_channel(self, record: Record) -> None:
        """Raise NotNow while all channels of the candidates are down. Saves the queries to Dixa."""
        names = {
            _health_name(delivery, terms)
            for terms in record.candidates
            # The sender depends on the language, and Dixa's is not known yet.
            for spoken in (record.offer.language, *terms.senders)
            for delivery in self._usable(replace(record, terms=terms, offer=replace(record.offer, language=spoken)))
        }
        waits = [wait for name in names if (wait := self._health.wait(name, record.survey_id)) is not None]
        if waits and len(waits) == len(names):
            raise NotNow(_ALL_DOWN, min(waits))

    def hand_over(self, attempt: Attempt, delivery: Delivery) -> None:
        """Let a channel deliver, and record for all workers whether it works. Raises as the channel does."""
        record = attempt.record
        name = _health_name(delivery, record.terms)
        try:
            delivery.deliver(record, self._links.url(Link.to(record)), attempt.deadline)
        except CallError as error:
            # An earlier try may have arrived, so a channel may hide its failure behind an unknown outcome.
            cause = error.__cause__ if isinstance(error.__cause__, NotDelivered) else error
            if isinstance(cause, NotDelivered | DeliveryUnknown | DeliveryRefused | Forbidden):
                is_certain = isinstance(cause, ChannelDown)
                with suppress(RecordsUnavailable):
                    self._health.failed(name, record.survey_id, str(cause), is_certain=is_certain)
            raise
        with suppress(RecordsUnavailable):
            self._health.works(name, record.survey_id)

    def _usable(self, record: Record) -> Iterator[Delivery]:
        """Yield the channels able to reach the customer. A delivery stays with its channel once begun."""
        if record.offer.channel:
            begun = self._deliveries.get(record.offer.channel)
            yield from (begun,) if begun else ()
            return
        names = record.terms.deliver if record.terms else ()
        left = (name for name in names if name not in record.offer.failed)
        known = (self._deliveries[name] for name in left if name in self._deliveries)
        yield from (each for each in known if each.can_reach(record))


def opens_in(candidates: Sequence[Survey], moment: datetime) -> timedelta:
    """Return the time until the send window opens; zero while it is open, or if several surveys are candidates."""
    if len(candidates) != 1:
        return timedelta()
    return next_opening(candidates[0].send_window, moment) - moment


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


def _back_to_offered(record: Record, failed: tuple[str, ...] | None = None) -> Record:
    """Return the record as it is before a delivery begins."""
    offer = replace(record.offer, state=OfferState.OFFERED, channel="", failed=failed or record.offer.failed)
    return replace(record, offer=offer)
