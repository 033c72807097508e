"""The offer's journey: from a due close to a link in the customer's hands, one claim at a time.

Every call that must not be made twice is marked before it is sent. A crash anywhere leaves a record from which
the next claim goes on; docs/architecture/offer-journey.md lists each step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from service.journeys.reminder import Reminding
from service.journeys.runner import Turn, find_new
from service.rules.decision import Asks, Case, decide
from service.rules.matching import find_taken
from service.surveys.definition import Rated, Survey
from service.surveys.model import Call, Close, Decision, Journey, Offer, OfferState, Reason, Record
from service.surveys.ports import Conversation, Rating
from service.surveys.ratings import RatingType

log = structlog.get_logger()


class OfferJourney(Reminding):
    """Looks, decides, offers and delivers."""

    journey = Journey.OFFER
    max_wait = timedelta(milliseconds=500)
    _call_name = "offer"

    def _advance(self, turn: Turn) -> None:
        record: Record | None = turn.record
        if turn.record.offer.call:
            record = self._look_for_offer(turn, turn.record.offer.call)
        elif turn.record.offer.state is OfferState.REMINDING:
            self._remind(turn)
            return
        elif turn.record.offer.state in (OfferState.DECIDING, OfferState.OFFERING):
            record = self._decide_and_offer(turn)
        elif turn.record.offer.state is OfferState.DELIVERING or (
            turn.record.offer.state is OfferState.OFFERED and turn.record.looks_first
        ):
            self._deliver_again(turn)
            return
        elif turn.record.offer.state is OfferState.OFFERED:
            record = self._look_again(turn)
        if record:
            self._deliver(turn, record)

    def _decide_and_offer(self, turn: Turn) -> Record | None:
        """Return the offered record, or None when this claim has ended another way."""
        record = turn.record
        close, terms = record.close, record.terms
        if close is None or terms is None:
            return None  # A record made from a link is delivered: it never comes here.
        is_decided = record.offer.state is OfferState.OFFERING
        if self._is_over(turn, record) or (not is_decided and self._is_outside_window(turn, record.candidates)):
            return None
        if not is_decided:
            self._insist_on_channels(record)
        conversation = self._conversation(turn)
        if is_decided and not self._is_unchanged(turn, conversation):
            return None
        ratings = self._ratings(turn)
        unknown = self._find_unknown(turn, ratings)
        if not is_decided:
            ours = (*(offer.rating_id for offer in record.offers), *unknown.values(), *record.earlier)
            case = Case(record, close, conversation, ratings, ours, turn.claim.at)
            decision = decide(case, self._asks(turn, conversation))
            if not self._write_decision(turn, decision, close, conversation):
                return None
            terms = decision.survey or terms
        turn = replace(turn, claim=replace(turn.claim, record=_decided(record, terms, conversation)))
        return self._offer_all(turn, terms, conversation, ratings, unknown)

    def _is_over(self, turn: Turn, record: Record) -> bool:
        """End what was due too long ago, before Dixa is asked: what can't be learnt must not be asked for ever."""
        if not all(self._is_too_late(turn, record, each) for each in record.candidates):
            return False
        if record.offer.state is OfferState.OFFERING:
            self._die(turn, Reason.TOO_LATE, problem="not every rating could be offered in time")
            return True
        survey = record.candidates[0] if len(record.candidates) == 1 else None
        decision = Decision(OfferState.SKIPPED, Reason.TOO_LATE, survey, record.objections, record.facts)
        self._records.decide(turn.claim, decision, record.offer.language)
        log.info("survey.decided", decision=decision.verdict, reason=decision.reason)
        return True

    def _asks(self, turn: Turn, conversation: Conversation) -> Asks:
        number = turn.record.conversation_id
        return Asks(
            tags=lambda: self._dixa.conversation_tags(self._slot(turn), number),
            messages=lambda: self._dixa.messages(self._slot(turn), number),
            is_opted_out=lambda: self._has_stopped(turn.record, conversation),
            is_answered=lambda: any(
                found and found.answer for found in map(self._records.load, self._records.rounds(number))
            ),
            is_too_late=lambda survey: self._is_too_late(turn, turn.record, survey),
            can_reach=lambda survey: self._take_delivery(_decided(turn.record, survey, conversation)) is not None,
        )

    def _write_decision(self, turn: Turn, decision: Decision, close: Close, conversation: Conversation) -> bool:
        """Write it, and say whether to ask: somebody else may have taken the person's turn meanwhile."""
        of_requester = self._restraint.persons.known_by(close.requester_id or conversation.requester_id)
        verdict, reason = self._records.decide(
            turn.claim,
            decision,
            conversation.language or "",
            person=tuple(dict.fromkeys((*close.person, *of_requester))),
            keep_turns=self._restraint.keep_turns,
        )
        survey = decision.survey.name if decision.survey else None
        log.info("survey.decided", decision=verdict, reason=reason or None, survey=survey)
        return verdict == "ask"

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
        if unknown and record.looks_first:
            # Made before the backup was taken, so it may be delivered: that is looked at first.
            self._records.reschedule(turn.claim, timedelta(), failed=False)
            return None
        return replace(record, offer=replace(record.offer, state=OfferState.OFFERED))

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
                agent_id=_rated_agent(turn.record, conversation),
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
        known = (*known, *(offer.rating_id for offer in record.offers), *record.earlier)
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
        found = find_new(self._ratings(turn), call)
        if found is None:
            self._records.again(turn.claim, self._pause(turn), may_come=True)
            log.info("offer.not_made")
            return None
        self._records.offered(turn.claim, call.rating, found.id)
        log.info("offer.adopted", rating_id=found.id, rating=call.rating)
        # What is left, another rating or the delivery, begins with a fresh look at the record.
        self._records.reschedule(turn.claim, timedelta(), failed=False)
        return None


def _rated_agent(record: Record, conversation: Conversation) -> str | None:
    """Say whose rating it is: the assignee at the close, kept with the record; None leaves it to Dixa."""
    if record.terms and record.terms.rated is Rated.DIXA:
        return None
    return (record.close and record.close.agent_id) or conversation.agent_id


def _decided(record: Record, terms: Survey, conversation: Conversation) -> Record:
    """Say what the record comes to if these terms are offered: a delivery asks for all of it."""
    offer = replace(record.offer, language=conversation.language or "")
    return replace(record, terms=terms, offer=offer, open_until=conversation.open_until)
