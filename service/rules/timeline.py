"""A record told in plain words, in the order in which it happened: what, when, why, and what comes next."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from service.rules.identity import Trait
from service.rules.mismatches import mismatches_of
from service.rules.reasons import REASONS
from service.rules.send_window import next_opening
from service.surveys.definition import SendWindow, Survey
from service.surveys.model import (
    UNCONFIRMED,
    ActionState,
    AnswerProgress,
    AnswerState,
    FollowUp,
    OfferState,
    Reason,
    Record,
    RuleMismatch,
)
from service.surveys.ratings import RatingType

_NOT_ASKED = (OfferState.SKIPPED, OfferState.CANCELLED)

_NEXT_OFFER: Mapping[OfferState, str] = {
    OfferState.WAITING: "Dixa is asked how the conversation is by then, and it is decided",
    OfferState.DECIDING: "it is decided",
    OfferState.OFFERING: "the offer is made in Dixa",
    OfferState.UNKNOWN: "Dixa is asked what became of an offer whose answer was lost",
    OfferState.OFFERED: "the link is delivered",
    OfferState.DELIVERING: "the link is delivered",
    OfferState.REMINDING: "the customer is reminded, unless there is an answer by then",
    OfferState.DELIVERED: "nothing, until the customer answers",
    OfferState.SKIPPED: "nothing",
    OfferState.CANCELLED: "nothing",
}

_IN_WINDOW = (OfferState.WAITING, OfferState.DECIDING, OfferState.OFFERED, OfferState.REMINDING)
"""What begins anew in them waits for the window."""

_NEXT_ANSWER: Mapping[AnswerState, str] = {
    AnswerState.EDITABLE: "the answer goes to Dixa; until then the customer can change it",
    AnswerState.SUBMITTING: "the answer goes to Dixa",
    AnswerState.UNKNOWN: "Dixa is asked what became of a result whose answer was lost",
    AnswerState.SUBMITTED: "nothing: it is done",
}


_NEXT_SUSPECT = "the answer goes to Dixa as it is; until then any other takes its place"
_ACTIONS: Mapping[ActionState, str] = {
    ActionState.WAITING: "to be tried again",
    ActionState.BEGUN: "begun; whether it arrived will be found out",
    ActionState.DONE: "done",
    ActionState.FAILED: "failed for good",
}


def tell(
    record: Record,
    paused: str,
    trouble: str = "",
    stopped: Mapping[Trait, datetime | None] = MappingProxyType({}),
) -> Iterator[str]:
    """Tell the story line by line; times are in UTC.

    `paused` says that nobody is asked, `trouble` what keeps all surveys from going on, and `stopped` by what the
    customer has stopped them, and since when.
    """
    yield from _tell_close(record)
    yield from _tell_decision(record)
    for trait, since in stopped.items():
        yield _line(
            since, f"This customer has stopped the surveys, by the {trait}{'' if since else ', before that was dated'}."
        )
    yield from _tell_offer(record)
    if record.answer:
        yield from _tell_answer(record.answer)
    if record.follow_up:
        yield from _tell_follow_up(record.follow_up)
    if record.offer.reason == Reason.ERASED and record.offer.delivered_at:
        yield _line(None, f"Ended, and what it kept about the customer deleted: {Reason.ERASED}.")
        yield from _explain(Reason.ERASED)
    if record.latest_close and record.offer.due_at is None:
        yield _line(record.latest_close, f"Closed again, which begins no new survey: {Reason.CLOSED_AGAIN}.")
        yield from _explain(Reason.CLOSED_AGAIN)
    yield from _tell_next(record, paused)
    if trouble and is_waiting(record):
        yield _more(f"{trouble}.")


def is_waiting(record: Record) -> bool:
    """Say whether there is something left to be done, sooner or later."""
    return any(each is not None and each.due_at is not None for each in (record.offer, record.answer, record.follow_up))


def is_paused(record: Record) -> bool:
    """Say whether a pause keeps this survey from going on. A call in flight is looked for all the same."""
    return record.offer.due_at is not None and record.offer.call is None


def _tell_close(record: Record) -> Iterator[str]:
    close = record.close
    if close is None:
        yield _line(record.accepted_at, "A customer answered by a link whose record was lost; it was made again.")
        return
    agent = f"agent {close.agent_id}" if close.agent_id else "no agent"
    queue = f"queue {close.queue_name or close.queue_id}" if close.queue_name or close.queue_id else "no queue"
    facts = ", ".join(filter(None, (close.channel, close.direction, queue, agent)))
    yield _line(close.closed_at, f"Closed: {facts}.")
    if record.candidates and record.decided_at is None:
        yield _line(record.accepted_at, f"Webhook accepted. Surveys that may ask: {_names(record.candidates)}.")
    else:
        yield _line(record.accepted_at, "Webhook accepted.")


def _tell_decision(record: Record) -> Iterator[str]:
    offer, survey = record.offer, record.terms.name if record.terms else "none"
    if offer.state in _NOT_ASKED and not offer.delivered_at:
        verb = "Decided not to ask" if offer.state is OfferState.SKIPPED else "Decided not to ask any more"
        yield _line(record.decided_at or record.accepted_at, f"{verb}: {offer.reason}.")
        yield from _explain(offer.reason)
    elif record.decided_at:
        yield _line(record.decided_at, f"Decided to ask, with survey {survey}.")
    for each in mismatches_of(record):
        rule = f"rule {each.rule}; " if each.rule else ""
        yield _more(f"{_who(each)}: {each.reason} ({rule}found: {each.fact}).")
    facts = [f"{name} {fact}" for name, fact in record.facts.items() if name != "closed_at"]
    if facts:
        yield _more(f"It rests on: {'; '.join(facts)}.")


def _tell_offer(record: Record) -> Iterator[str]:
    offer = record.offer
    for each in record.offers:
        yield _line(offer.offered_at, f"Offered in Dixa: {each.rating}, rating id {each.rating_id}.")
    for channel in offer.failed:
        yield _line(None, f"Not delivered by {channel}: it refused for good.")
    if offer.mailed_at and not offer.delivered_at:
        yield _line(offer.mailed_at, "An e-mail was handed over; whether it went out isn't known yet.")
    if offer.delivered_at:
        note = " Nobody confirmed that it arrived." if offer.note == UNCONFIRMED else ""
        yield _line(offer.delivered_at, f"Delivered by {offer.channel}.{note}")
    if offer.reminded_at:
        is_note = bool(offer.note) and offer.note != UNCONFIRMED
        yield _line(offer.reminded_at, f"Not reminded: {offer.note}." if is_note else "Reminded.")
    if offer.state is OfferState.FAILED:
        yield _line(offer.ended_at, f"Given up: {offer.reason}.")
        yield from _explain(offer.reason)


def _tell_answer(answer: AnswerProgress) -> Iterator[str]:
    if answer.reason == Reason.ERASED:
        known = " Its result had reached Dixa." if answer.state is AnswerState.SUBMITTED else ""
        yield _line(answer.answer.answered_at, f"Answered; what was said is deleted.{known}")
        return
    scores = _scores(answer.answer.scores)
    comment = ", with a comment" if answer.has_comment else ", without a comment"
    yield _line(answer.answer.answered_at, f"Answered: {scores}{comment}.")
    if answer.is_suspect:
        yield _more("Suspect: a machine may have sent it. It came right after the link, or filled a hidden field.")
    if answer.state is AnswerState.SUBMITTED:
        yield _line(answer.ended_at, "The result is with Dixa.")
    if answer.state is AnswerState.FAILED:
        yield _line(answer.ended_at, f"The result could not be submitted: {answer.reason}.")
        yield from _explain(answer.reason)


def _scores(scores: Mapping[RatingType, int]) -> str:
    return ", ".join(f"{rating} {score}" for rating, score in scores.items())


def _tell_follow_up(found: FollowUp) -> Iterator[str]:
    for name, each in found.actions.items():
        problem = f" ({each.problem})" if each.problem else ""
        told = f" It told: {_scores(each.told)}." if each.told else ""
        yield _line(None, f"Follow-up {name}: {_ACTIONS[each.state]}{problem}.{told}")
    if not found.due_at and not found.actions and found.reason != Reason.ERASED:
        yield _line(None, "Nothing is to follow this answer.")


def _tell_next(record: Record, paused: str) -> Iterator[str]:
    offer, answer, follow_up = record.offer, record.answer, record.follow_up
    if offer.reason == Reason.ERASED:
        yield _next(None, "nothing")
        return
    if _is_dead(record):
        yield _next(None, f"nothing by itself. To try again: afterword retry {record.conversation_id}")
        return
    is_followed = follow_up is not None and follow_up.due_at is not None
    if answer and not (is_followed and answer.state is AnswerState.SUBMITTED):
        what = _NEXT_SUSPECT if answer.is_provisional else _NEXT_ANSWER[answer.state]
        yield _next(answer.due_at, what + _tries(answer.tries))
    if follow_up and is_followed:
        yield _next(follow_up.due_at, f"what is to follow the answer{_tries(follow_up.tries)}")
    if answer and not (answer.is_provisional and offer.state is OfferState.REMINDING):
        return
    moment, opens = _next_step(record)
    yield _next(moment, _NEXT_OFFER[offer.state] + opens + _tries(offer.tries))
    if paused and is_paused(record):
        yield _more(paused)


def _next_step(record: Record) -> tuple[datetime | None, str]:
    """Say when the offer's journey goes on, and what there is to be said about the window.

    Where only one survey is left, nothing happens before its window opens; where several are, Dixa is asked first.
    """
    offer = record.offer
    if offer.due_at is None or offer.call or offer.state not in _IN_WINDOW:
        return offer.due_at, ""
    openings = [_opening(survey.send_window, offer.due_at) for survey in record.candidates]
    shut_until = [opening for opening in openings if opening]
    if not shut_until or len(shut_until) < len(openings):
        return offer.due_at, ""
    first = min(shut_until)
    if len(openings) == 1:
        return first, " (its window opens then)"
    return offer.due_at, f" (the first window opens at {first:%Y-%m-%d %H:%M})"


def _opening(window: SendWindow | None, due_at: datetime) -> datetime | None:
    """Say when a window opens that is shut until then. Who has waited for it already is due a moment after it."""
    for moment in (due_at - timedelta(seconds=1), due_at):
        if (opening := next_opening(window, moment)) > moment:
            return opening
    return None


def _is_dead(record: Record) -> bool:
    """Say whether something can be tried again. Who has answered had the link, whatever the offer's end was."""
    journeys = (record.answer or record.offer, record.follow_up)
    return any(each is not None and each.state == "failed" for each in journeys)


def _explain(reason: str) -> Iterator[str]:
    yield _more(REASONS[Reason(reason)].meaning)
    yield _more(f"What to change: {REASONS[Reason(reason)].remedy}")


def _who(mismatch: RuleMismatch) -> str:
    return f"Survey {mismatch.survey} was not used" if mismatch.survey else "No survey was used"


def _names(surveys: tuple[Survey, ...]) -> str:
    return ", ".join(survey.name for survey in surveys)


def _tries(tries: int) -> str:
    return f" (it failed {'once' if tries == 1 else f'{tries} times'})" if tries else ""


def _line(moment: datetime | None, text: str) -> str:
    return f"  {f'{moment:%Y-%m-%d %H:%M:%S}' if moment else '':<19}  {text}"


def _more(text: str) -> str:
    return _line(None, f"  {text}")


def _next(moment: datetime | None, text: str) -> str:
    return _line(moment, f"Next: {text}.")
