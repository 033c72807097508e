"""The way of a webhook: from a due close to a link in the customer's hands, one claim at a time.

    due → decide → offer each rating → deliver the link → later: the reminder

Each offer is on record as begun before its call, so it is never made twice. After a crash the next claim goes on
from the record; docs/architecture/offer-journey.md lists the steps.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from service.journeys.attempt import Attempt
from service.journeys.delivery import LinkSender, is_too_late, opens_in
from service.journeys.next_step import CallFailed, CallLost, Continue, Done, Fail, Next, Wait
from service.journeys.reminder import Reminder
from service.records.outcomes import StaleClaim
from service.rules.decision import DecisionInput, Lookups, decide
from service.rules.matching import active_ratings, find_exclusion
from service.surveys.definition import Credit
from service.surveys.model import Call, Close, Decision, Offer, Record
from service.surveys.ports import Conversation, Rating
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict

log = structlog.get_logger()


class OfferJourney:
    """Decides, offers, delivers and reminds."""

    journey = Journey.OFFER
    max_wait = timedelta(milliseconds=500)

    def __init__(self, sender: LinkSender) -> None:
        self._sender = sender
        self._records = sender.records
        self._suppression = sender.suppression
        self._reminder = Reminder(sender)

    def advance(self, attempt: Attempt) -> Next:
        """Go on from the record's state."""
        record = attempt.record
        if record.terms is None:
            # The next close of this survey stores them again.
            raise StaleClaim("its terms are lost")
        if record.offer.call:
            return self._reconcile(attempt, record.offer.call)
        match record.offer.state:
            case OfferState.DECIDING:
                return self._decide_and_offer(attempt)
            case OfferState.OFFERING:
                return self._offer_rest(attempt)
            case OfferState.OFFERED if not record.reconcile_first:
                # An earlier claim made the offer, and much may have happened since.
                return self._sender.recheck_and_send(attempt)
            case OfferState.OFFERED | OfferState.DELIVERING:
                return self._sender.resume(attempt)
            case OfferState.REMINDING:
                return self._reminder.send(attempt)
            case _:
                raise StaleClaim(record.offer.state)

    # ── Decide ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _decide_and_offer(self, attempt: Attempt) -> Next:
        record, close = attempt.record, _require_close(attempt.record)
        # Before any query: the survey must end even if Dixa never responds.
        if all(is_too_late(attempt, each) for each in record.candidates):
            return self._skip_late(attempt)
        if wait := opens_in(record, attempt.at):
            return Wait(wait)
        self._sender.require_channel(record)
        conversation = attempt.closed_conversation()
        ratings = attempt.ratings()
        step = self._decide(attempt, close, conversation, ratings)
        if not isinstance(step, Continue):
            return step
        return self._offer_and_send(attempt.with_record(step.record), conversation, ratings)

    def _skip_late(self, attempt: Attempt) -> Done:
        record = attempt.record
        decision = Decision(Verdict.SKIP, Reason.TOO_LATE, None, record.mismatches, record.facts)
        self._records.decide(attempt.claim, decision, record.offer.language)
        log.info("survey.decided", decision=decision.verdict, reason=decision.reason)
        return Done()

    def _decide(
        self, attempt: Attempt, close: Close, conversation: Conversation, ratings: Sequence[Rating]
    ) -> Continue | Done:
        """Decide and write it. Continue if the survey is to be sent now."""
        record = attempt.record
        ours = (*record.rating_ids, *_find_unrecorded(record, ratings).values())
        given = DecisionInput(record, close, conversation, ratings, ours, attempt.at)
        decision = decide(given, self._lookups(attempt, conversation))
        # Another survey may have taken the customer's cooldown slot in the meantime.
        verdict, reason = self._records.decide(
            attempt.claim,
            decision,
            conversation.language or "",
            person=self._suppression.hashes_of(close, conversation),
            cooldown_retention=self._suppression.cooldown_retention,
            max_earlier=self._suppression.max_earlier,
        )
        survey = decision.survey.name if decision.survey else None
        log.info("survey.decided", decision=verdict, reason=reason or None, survey=survey)
        if verdict != Verdict.ASK:
            return Done()
        return Continue(_as_decided(replace(record, terms=decision.survey), conversation))

    def _lookups(self, attempt: Attempt, conversation: Conversation) -> Lookups:
        record = attempt.record
        return Lookups(
            tags=attempt.tags,
            messages=attempt.messages,
            is_opted_out=lambda: self._suppression.has_opted_out(record, conversation),
            is_answered=lambda: any(each.answer for each in self._records.load_rounds(record.conversation_id)),
            is_too_late=lambda survey: is_too_late(attempt, survey),
            reserve_channel=lambda chosen: self._sender.reserve(_as_decided(chosen, conversation)) is not None,
        )

    # ── Offer ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _offer_rest(self, attempt: Attempt) -> Next:
        """Go on after an earlier claim has decided, and perhaps made some of the offers."""
        record = attempt.record
        _require_close(record)
        if all(is_too_late(attempt, each) for each in record.candidates):
            return Fail(Reason.TOO_LATE, "not every rating could be offered in time")
        conversation = attempt.closed_conversation()
        if exclusion := find_exclusion(conversation):
            return Fail(exclusion, "the conversation has changed since the decision")
        decided = attempt.with_record(_as_decided(record, conversation))
        return self._offer_and_send(decided, conversation, attempt.ratings())

    def _offer_and_send(self, attempt: Attempt, conversation: Conversation, ratings: Sequence[Rating]) -> Next:
        """Make the missing offers, one for each rating type of the survey. Then send the link."""
        record = attempt.record
        unrecorded = _find_unrecorded(record, ratings)
        # After a crash, the offer of the call is the one not seen before it. An unrecorded one is still to be found.
        seen = [each.id for each in ratings if each.id not in unrecorded.values()]
        for rating in record.terms.ratings if record.terms else ():
            if any(offer.rating is rating for offer in record.offers):
                continue
            rating_id = (
                self._adopt(attempt, rating, unrecorded[rating], seen)
                if rating in unrecorded
                else self._offer(attempt, rating, conversation, seen)
            )
            if not isinstance(rating_id, str):
                return rating_id
            seen.append(rating_id)
            record = replace(record, offers=(*record.offers, Offer(rating, rating_id)))
        if unrecorded and record.reconcile_first:
            # The offer is older than the backup, so its link may be out. The next claim checks that first.
            return Wait(timedelta())
        return self._sender.send(
            attempt.with_record(replace(record, offer=replace(record.offer, state=OfferState.OFFERED)))
        )

    def _offer(
        self, attempt: Attempt, rating: RatingType, conversation: Conversation, seen: Sequence[str]
    ) -> str | CallFailed | CallLost:
        """Make one offer and return its rating id."""
        record = attempt.record
        slot = attempt.slot()
        self._records.begin_call(attempt.claim, rating, seen, attempt.timings.step_budget)
        rating_id = attempt.make(
            lambda: attempt.dixa.offer(
                slot,
                record.conversation_id,
                rating,
                user_id=(record.close and record.close.requester_id) or conversation.requester_id,
                agent_id=_rated_agent(record, conversation),
                offered_at=attempt.at,
            )
        )
        if isinstance(rating_id, str):
            self._records.offered(attempt.claim, rating, rating_id)
            log.info("offer.created", rating_id=rating_id, rating=rating)
        return rating_id

    def _adopt(self, attempt: Attempt, rating: RatingType, rating_id: str, seen: Sequence[str]) -> str:
        """Record an offer of ours from before a crash or restore."""
        self._records.begin_call(attempt.claim, rating, seen, attempt.timings.step_budget)
        self._records.offered(attempt.claim, rating, rating_id)
        log.info("offer.adopted", rating_id=rating_id, rating=rating)
        return rating_id

    def _reconcile(self, attempt: Attempt, call: Call) -> Next:
        """Find the offer of a call with a lost response. Adopt it, or try again if there is none."""
        if wait := attempt.reconcile_in(call):
            return Wait(wait)
        made = next((each for each in attempt.ratings() if each.type == call.rating and each.id not in call.seen), None)
        if made is None:
            log.info("offer.not_made")
            return CallFailed(attempt.backoff(), may_still_happen=True)
        self._records.offered(attempt.claim, call.rating, made.id)
        log.info("offer.adopted", rating_id=made.id, rating=call.rating)
        # Another rating or the delivery is left. It begins with a fresh claim.
        return Wait(timedelta())


def _require_close(record: Record) -> Close:
    """Return the close. A record made from a link has none, and is delivered already."""
    if record.close is None:
        raise StaleClaim("no close to decide about")
    return record.close


def _find_unrecorded(record: Record, ratings: Sequence[Rating]) -> dict[RatingType, str]:
    """Return the ids of our offers that are missing in the record, by rating type.

    Dixa executed a lost call late, or the offer is younger than the restored backup. They are never another system's:
    the conversation had no survey before our first offer.
    """
    before = record.offer.before
    if before is None and record.reconcile_first and record.offer.state is OfferState.OFFERING:
        before = ()
    if before is None or record.terms is None:
        return {}
    unrecorded: dict[RatingType, str] = {}
    for each in active_ratings(ratings, (*before, *record.rating_ids)):
        if each.type in record.terms.ratings:
            unrecorded.setdefault(RatingType(each.type), each.id)
    return unrecorded


def _rated_agent(record: Record, conversation: Conversation) -> str | None:
    """Return the agent to be rated: the assignee at the close. None leaves the choice to Dixa."""
    if record.terms and record.terms.credit is Credit.DIXA:
        return None
    return (record.close and record.close.agent_id) or conversation.agent_id


def _as_decided(record: Record, conversation: Conversation) -> Record:
    """Return the record as it is once its survey is chosen. Delivery channels need its language and end."""
    offer = replace(record.offer, language=conversation.language or "")
    return replace(record, offer=offer, open_until=conversation.open_until)
