"""The offer's journey: from a due close to a link in the customer's hands, one claim at a time.

Every call that must not be made twice is marked before it is sent. A crash anywhere leaves a record from which
the next claim goes on; ARCHITECTURE.md goes through it step by step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from config.settings import Timings
from config.surveys import RatingType, Survey
from service.surveys.journey import Traveller, Turn, find_new
from service.surveys.links import Link, Links
from service.surveys.model import Call, Close, Journey, Offer, OfferState, Reason, Record
from service.surveys.ports import Conversation, Delivery, Dixa, DixaUnknown, Rating
from service.surveys.records import Records
from service.surveys.rules import Refusal, find_refusal, find_taken

log = structlog.get_logger()


class OfferJourney(Traveller):
    """Looks, decides, offers and delivers."""

    journey = Journey.OFFER
    patience = timedelta(milliseconds=500)
    _call_name = "offer"

    def __init__(
        self, records: Records, dixa: Dixa, timings: Timings, *, links: Links, deliveries: Sequence[Delivery]
    ) -> None:
        super().__init__(records, dixa, timings)
        self._links = links
        self._deliveries = {delivery.name: delivery for delivery in deliveries}

    def _advance(self, turn: Turn) -> None:
        record: Record | None = turn.record
        if turn.record.offer.call:
            record = self._look_for_offer(turn, turn.record.offer.call)
        elif turn.record.offer.state in (OfferState.DECIDING, OfferState.OFFERING):
            record = self._decide_and_offer(turn)
        if record:
            self._deliver(turn, record)

    def _decide_and_offer(self, turn: Turn) -> Record | None:
        """Return the offered record, or None when this claim has ended another way."""
        record = turn.record
        close, terms = record.close, record.terms
        if close is None or terms is None:
            return None  # A record made from a link is delivered: it never comes here.
        conversation = self._dixa.conversation(self._slot(turn, self.patience), record.conversation_id)
        ratings = self._ratings(turn)
        unknown = self._find_unknown(turn, ratings)
        ours = (*(offer.rating_id for offer in record.offers), *unknown.values())
        if record.offer.state is OfferState.DECIDING:
            refusal = (
                self._too_late(turn, close, terms)
                or find_refusal(conversation, ratings, ours)
                or self._unreachable(record)
            )
            self._write_decision(turn, refusal, conversation.language or "")
            if refusal:
                return None
        return self._offer_all(turn, terms, conversation, ratings, unknown)

    def _too_late(self, turn: Turn, close: Close, terms: Survey) -> Refusal | None:
        due_at = min(close.closed_at, turn.record.accepted_at) + terms.delay
        is_late = turn.claim.at > due_at + self._timings.offer_within
        return Refusal(OfferState.SKIPPED, Reason.TOO_LATE) if is_late else None

    def _unreachable(self, record: Record) -> Refusal | None:
        return None if self._find_delivery(record) else Refusal(OfferState.SKIPPED, Reason.UNREACHABLE)

    def _write_decision(self, turn: Turn, refusal: Refusal | None, language: str) -> None:
        verdict, reason = (refusal.state, refusal.reason) if refusal else (None, None)
        self._records.decide(turn.claim, verdict, reason, language)
        log.info("survey.decided", decision=verdict or "ask", reason=reason)

    def _offer_all(
        self,
        turn: Turn,
        terms: Survey,
        conversation: Conversation,
        ratings: Sequence[Rating],
        unknown: Mapping[RatingType, str],
    ) -> Record | None:
        record = turn.record
        seen = [each.id for each in ratings]
        for rating in terms.ratings:
            if any(offer.rating is rating for offer in record.offers):
                continue
            rating_id = (
                self._adopt(turn, rating, unknown[rating], seen)
                if rating in unknown
                else self._offer(turn, rating, conversation, seen)
            )
            if rating_id is None:
                return None
            seen.append(rating_id)
            record = replace(record, offers=(*record.offers, Offer(rating, rating_id)))
        return replace(
            record, offer=replace(record.offer, state=OfferState.OFFERED, language=conversation.language or "")
        )

    def _offer(self, turn: Turn, rating: RatingType, conversation: Conversation, seen: Sequence[str]) -> str | None:
        slot = self._slot(turn)
        close = turn.record.close
        self._records.mark(turn.claim, rating, seen, self._timings.step_budget)
        rating_id = self._attempt(
            turn,
            lambda: self._dixa.offer(
                slot,
                turn.record.conversation_id,
                rating,
                user_id=(close and close.requester_id) or conversation.requester_id,
                agent_id=(close and close.agent_id) or conversation.agent_id,
                offered_at=turn.claim.at,
            ),
        )
        if rating_id is not None:
            self._records.offered(turn.claim, rating, rating_id)
            log.info("offer.created", rating_id=rating_id, rating=rating)
        return rating_id

    def _find_unknown(self, turn: Turn, ratings: Sequence[Rating]) -> dict[RatingType, str]:
        """Find offers of ours that the record doesn't know of, by rating type.

        They are those of a lost call that was executed after it was looked for, and those made after a backup: the
        survey was ours alone when its first offer was made.
        """
        record = turn.record
        known = record.offer.before
        if known is None and record.looks_first and record.offer.state is OfferState.OFFERING:
            known = ()
        if known is None:
            return {}
        known = (*known, *(offer.rating_id for offer in record.offers))
        asked = record.terms.ratings if record.terms else ()
        found = {rating: find_taken([each for each in ratings if each.type == rating], known) for rating in asked}
        return {rating: each.id for rating, each in found.items() if each}

    def _adopt(self, turn: Turn, rating: RatingType, rating_id: str, ours: Sequence[str]) -> str:
        self._records.mark(turn.claim, rating, ours, self._timings.step_budget)
        self._records.offered(turn.claim, rating, rating_id)
        log.info("offer.adopted", rating_id=rating_id, rating=rating)
        return rating_id

    def _look_for_offer(self, turn: Turn, call: Call) -> Record | None:
        """Find out what became of a call whose answer is lost: adopt its offer, or try again if there is none."""
        if not self._is_settled(turn, call):
            return None
        found = find_new(self._ratings(turn, self.patience), call)
        if found is None:
            self._records.again(turn.claim, self._pause(turn))
            log.info("offer.not_made")
            return None
        self._records.offered(turn.claim, call.rating, found.id)
        log.info("offer.adopted", rating_id=found.id, rating=call.rating)
        # What is left, another rating or the delivery, begins with a fresh look at the record.
        self._records.reschedule(turn.claim, timedelta(), failed=False)
        return None

    def _find_delivery(self, record: Record) -> Delivery | None:
        if record.offer.channel:
            return self._deliveries.get(record.offer.channel)
        names = record.terms.deliver if record.terms else ()
        known = (self._deliveries[name] for name in names if name in self._deliveries)
        return next((each for each in known if each.can_reach(record)), None)

    def _deliver(self, turn: Turn, record: Record) -> None:
        delivery = self._find_delivery(record)
        if delivery is None:
            self._die(turn, Reason.UNREACHABLE, problem="no such channel any more")
            return
        self._records.delivering(turn.claim, delivery.name)
        try:
            delivery.deliver(record, self._links.url(Link.to(record)), turn.deadline)
        except DixaUnknown as error:
            log.warning("dixa.unknown", call="deliver", problem=str(error))
            self._records.reschedule(turn.claim, max(self._timings.settle, self._pause(turn)), failed=True)
        else:
            self._records.delivered(turn.claim)
            log.info("survey.delivered", channel=delivery.name)
