"""The delivery: bringing the link to the customer through the first channel that can, for as long as that is right."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from config.settings import Timings
from service.journeys.runner import Traveller, Turn
from service.records.channels import Channels
from service.records.redis import RecordsUnavailable
from service.records.transitions import Records
from service.rules.decision import is_too_late
from service.rules.identity import Persons
from service.rules.matching import find_refusal, is_before
from service.rules.send_window import next_opening
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
    TooEarly,
    Unconfirmable,
)
from service.surveys.links import Link, Links
from service.surveys.model import UNCONFIRMED, OfferState, Reason, Record
from service.surveys.ports import Conversation, Delivery, Dixa, Stops

log = structlog.get_logger()

_ALL_DOWN = "all channels that this survey may go by are down"


@dataclass(frozen=True, slots=True)
class Restraint:
    """How we know whom not to ask: who has stopped it, who is the same person, and for how long that is remembered."""

    stops: Stops
    persons: Persons
    keep_turns: timedelta = timedelta()


class Delivering(Traveller):
    """The part of the offer's journey that begins when the offer is made."""

    def __init__(
        self,
        records: Records,
        dixa: Dixa,
        timings: Timings,
        *,
        links: Links,
        deliveries: Sequence[Delivery],
        restraint: Restraint,
        channels: Channels,
    ) -> None:
        super().__init__(records, dixa, timings)
        self._channels = channels
        self._links = links
        self._restraint = restraint
        self._deliveries = {delivery.name: delivery for delivery in deliveries}

    def _find_deliveries(self, record: Record) -> Iterator[Delivery]:
        """Find the channels that can reach the customer; a delivery that was begun stays with its own."""
        if record.offer.channel:
            begun = self._deliveries.get(record.offer.channel)
            yield from (begun,) if begun else ()
            return
        names = record.terms.deliver if record.terms else ()
        left = (name for name in names if name not in record.offer.failed)
        known = (self._deliveries[name] for name in left if name in self._deliveries)
        yield from (each for each in known if each.can_reach(record))

    def _find_delivery(self, record: Record) -> Delivery | None:
        return next(self._find_deliveries(record), None)

    def _take_delivery(self, record: Record) -> Delivery | None:
        """Find the first channel that can reach the customer and isn't down. Raises NotNow when all that can are."""
        waits: list[timedelta] = []
        for each in self._find_deliveries(record):
            wait = self._channels.begin(name_channel(each.name, record.terms), record.survey_id)
            if wait is None:
                return each
            waits.append(wait)
        if waits:
            raise NotNow(_ALL_DOWN, min(waits))
        return None

    def _insist_on_channels(self, record: Record) -> None:
        """Raise NotNow when all channels that this survey may go by are down: Dixa needn't be asked for that."""
        names = {
            name_channel(delivery.name, terms)
            for terms in record.candidates
            # Who sends it depends on the language, and Dixa may not have been asked for that yet.
            for spoken in (record.offer.language, *terms.senders)
            for delivery in self._find_deliveries(
                replace(record, terms=terms, offer=replace(record.offer, language=spoken))
            )
        }
        waits = [wait for name in names if (wait := self._channels.wait(name, record.survey_id)) is not None]
        if waits and len(waits) == len(names):
            raise NotNow(_ALL_DOWN, min(waits))

    def _deliver_again(self, turn: Turn) -> None:
        """Go on with a delivery that was begun, or may have been before a backup: look whether it arrived.

        If it didn't, look whether it is still right.
        """
        record = turn.record
        delivery = self._find_delivery(record)
        if delivery is None:
            self._die(turn, Reason.UNREACHABLE, problem="no such channel any more")
            return
        if record.offer.state is OfferState.OFFERED:
            self._records.delivering(turn.claim, delivery.name)
        try:
            has_arrived = delivery.reconcile(record, turn.deadline)
        except (RetryLater, OutcomeUnknown, Unconfirmable) as error:
            self._wait_or_give_up(turn, record, delivery, error)
            return
        if has_arrived:
            self._delivered(turn, delivery)
        elif has_arrived is None and self._is_too_late(turn, record):
            self._delivered(turn, delivery, UNCONFIRMED)
        elif fresh := self._look_again(turn):
            self._deliver(turn, fresh)

    def _deliver(self, turn: Turn, record: Record) -> None:
        delivery = self._take_delivery(record)
        if delivery is None:
            self._die(turn, Reason.UNREACHABLE, problem="no channel can reach the customer any more")
            return
        if not delivery.can_reach(record):
            self._deliver_otherwise(turn, record, delivery, DeliveryRefused("it can't reach the customer any more"))
            return
        self._records.delivering(turn.claim, delivery.name)
        try:
            self._hand_over(turn, record, delivery)
        except ChannelDown as error:
            self._pass_over(turn, record, delivery, error)
        except NotDelivered as error:
            self._deliver_later(turn, delivery, error)
        except Refused as error:
            self._wait_if_early(turn, error)
            self._deliver_otherwise(turn, record, delivery, error)
        except (RetryLater, OutcomeUnknown, Unconfirmable) as error:
            self._wait_or_give_up(turn, record, delivery, error)
        else:
            self._delivered(turn, delivery)

    def _hand_over(self, turn: Turn, record: Record, delivery: Delivery) -> None:
        """Let a channel deliver, and note for everybody if it is down, or works again. Raises as the channel does."""
        name = name_channel(delivery.name, record.terms)
        try:
            delivery.deliver(record, self._links.url(Link.to(record)), turn.deadline)
        except CallError as error:
            # A try that may have arrived before is looked at again, whatever this one says of the channel.
            cause = error.__cause__ if isinstance(error.__cause__, NotDelivered) else error
            if isinstance(cause, NotDelivered | DeliveryUnknown | DeliveryRefused | Forbidden):
                is_certain = isinstance(cause, ChannelDown)
                with suppress(RecordsUnavailable):
                    self._channels.failed(name, record.survey_id, str(cause), is_certain=is_certain)
            raise
        with suppress(RecordsUnavailable):
            self._channels.works(name, record.survey_id)

    def _delivered(self, turn: Turn, delivery: Delivery, note: str = "") -> None:
        self._records.delivered(turn.claim, note)
        log.info("survey.delivered", channel=delivery.name, note=note or None)

    def _wait_or_give_up(self, turn: Turn, record: Record, delivery: Delivery, error: CallError) -> None:
        """Come back to a delivery that may have happened, for as long as an offer may still be made."""
        is_over = isinstance(error, Unconfirmable) or self._is_too_late(turn, record)
        if isinstance(error, RetryLater) and (not is_over or isinstance(error, NotNow)):
            raise error
        log.warning("delivery.unconfirmed", channel=delivery.name, problem=str(error))
        if not is_over:
            self._records.reschedule(turn.claim, max(self._timings.reconcile_after, self._pause(turn)), failed=True)
        elif isinstance(error, RetryLater) and record.offer.state is not OfferState.DELIVERING:
            self._die(turn, Reason.TOO_LATE, problem=str(error))
        else:
            self._delivered(turn, delivery, UNCONFIRMED)

    def _pass_over(self, turn: Turn, record: Record, delivery: Delivery, error: ChannelDown) -> None:
        """Go by the next channel that can reach the customer, or wait until one works: nothing was delivered."""
        log.warning("delivery.unavailable", channel=delivery.name, problem=str(error))
        self._records.undelivered(turn.claim, delivery.name, for_good=False)
        self._deliver(turn, replace(record, offer=replace(record.offer, state=OfferState.OFFERED, channel="")))

    def _deliver_later(self, turn: Turn, delivery: Delivery, error: NotDelivered) -> None:
        """Come back to a channel that has no time for us."""
        log.warning("delivery.unavailable", channel=delivery.name, problem=str(error))
        self._records.undelivered(turn.claim, delivery.name, for_good=False)
        self._records.reschedule(turn.claim, self._pause(turn, error), failed=True)

    def _deliver_otherwise(self, turn: Turn, record: Record, delivery: Delivery, error: Refused) -> None:
        """Go on to the next channel that can reach the customer. Raises the refusal when there is none."""
        failed = (*record.offer.failed, delivery.name)
        rest = replace(record, offer=replace(record.offer, state=OfferState.OFFERED, channel="", failed=failed))
        has_another = self._find_delivery(rest) is not None
        # What Dixa forbids may be allowed soon: it isn't given up before the survey is.
        if has_another or not isinstance(error, Forbidden):
            self._records.undelivered(turn.claim, delivery.name, for_good=True)
        if not has_another:
            raise error
        log.warning("delivery.refused", channel=delivery.name, problem=str(error))
        self._deliver(turn, rest)

    def _look_again(self, turn: Turn) -> Record | None:
        """Look again before a delivery that doesn't follow its decision at once: much may have happened since.

        Returns the record as it is to be delivered; None when it waits for its window, or isn't right any more.
        """
        record = turn.record
        if self._is_too_late(turn, record):
            self._die(turn, Reason.TOO_LATE, problem="the link could not be delivered in time")
            return None
        if self._is_outside_window(turn, [record.terms] if record.terms else []):
            return None
        self._insist_on_channels(record)
        conversation = self._conversation(turn)
        if self._has_stopped(record, conversation):
            self._die(turn, Reason.OPTED_OUT, problem="the customer has stopped the surveys meanwhile")
            return None
        return replace(record, open_until=conversation.open_until) if self._is_unchanged(turn, conversation) else None

    def _conversation(self, turn: Turn) -> Conversation:
        """Look at the conversation. Raises TooEarly while Dixa may show it as it was before its close."""
        conversation = self._dixa.conversation(self._slot(turn), turn.record.conversation_id)
        close = turn.record.close
        if close and is_before(conversation, close) and (wait := self._catches_up_in(turn)):
            raise TooEarly("Dixa shows it open, and not since the close: it is looked at again", wait)
        return conversation

    def _is_unchanged(self, turn: Turn, conversation: Conversation) -> bool:
        """Say whether a conversation is still closed, and there; a survey that was decided ends if it isn't."""
        refusal = find_refusal(conversation, (), ())
        if refusal:
            self._die(turn, refusal.reason, problem="the conversation has changed since it was decided to ask")
        return refusal is None

    def _has_stopped(self, record: Record, conversation: Conversation) -> bool:
        """Say whether the customer wants no surveys any more."""
        requester_id = (record.close and record.close.requester_id) or conversation.requester_id
        return self._restraint.stops.has(requester_id, record.close.person if record.close else ())

    def _is_outside_window(self, turn: Turn, candidates: Sequence[Survey]) -> bool:
        """Come back when the window opens, if it is clear which one that is: that costs no call."""
        if len(candidates) != 1:
            return False
        wait = next_opening(candidates[0].window, turn.claim.at) - turn.claim.at
        if wait > timedelta():
            self._records.reschedule(turn.claim, wait, failed=False)
        return wait > timedelta()

    def _is_too_late(self, turn: Turn, record: Record, terms: Survey | None = None) -> bool:
        """Return whether a link can't be delivered in time any more, by the record's terms or others."""
        close, asked = record.close, terms or record.terms
        if close is None or asked is None:
            return False
        now, within = turn.claim.at, self._timings.offer_max_age
        return self._is_late(turn, within, lambda longest: is_too_late(record, close, asked, now, longest))


def name_channel(name: str, terms: Survey | None) -> str:
    """Name what may be down: a sender of a survey's own may be refused where the others aren't."""
    return f"{name} of {terms.name}" if terms and terms.senders else name
