"""The timeline of a record: what happened, when and why, and what comes next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from service.rules.identity import IdentityKind
from service.rules.mismatches import mismatches_of
from service.rules.send_window import next_opening
from service.surveys.definition import SendWindow
from service.surveys.model import UNCONFIRMED, AnswerProgress, FollowUp, Record
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, AnswerState, FoundBy, OfferState

_NOT_ASKED = {OfferState.SKIPPED: "Skipped", OfferState.CANCELLED: "Cancelled"}

_NEXT_OFFER: Mapping[OfferState, str] = {
    OfferState.WAITING: "look up the conversation in Dixa, then decide",
    OfferState.DECIDING: "decide",
    OfferState.OFFERING: "create the offer in Dixa",
    OfferState.UNKNOWN: "look up in Dixa an offer without a response",
    OfferState.OFFERED: "deliver the link",
    OfferState.DELIVERING: "deliver the link",
    OfferState.REMINDING: "remind the customer, unless there is an answer by then",
    OfferState.DELIVERED: "wait for the customer's answer",
    OfferState.SKIPPED: "nothing",
    OfferState.CANCELLED: "nothing",
}

_IN_WINDOW = (OfferState.WAITING, OfferState.DECIDING, OfferState.OFFERED, OfferState.REMINDING)
"""A step that begins in one of these waits for the send window."""

_NEXT_ANSWER: Mapping[AnswerState, str] = {
    AnswerState.EDITABLE: "submit the result; until then the customer can change the answer",
    AnswerState.SUBMITTING: "submit the result",
    AnswerState.UNKNOWN: "look up in Dixa a result without a response",
    AnswerState.SUBMITTED: "nothing, the survey is complete",
}

_ACCEPTED: Mapping[FoundBy | None, str] = {
    None: "Webhook accepted.",
    FoundBy.DELIVERY_LOG: "Recovered: its webhook had not arrived. Dixa's delivery log has it.",
    FoundBy.SEARCH: "Recovered: its webhook had not arrived. Dixa's search has the conversation.",
    FoundBy.OPERATOR: "Requested by an operator: afterword ask.",
}
_NEXT_SUSPECT = "submit the result; until then any other answer replaces it"
_ACTIONS: Mapping[ActionState, str] = {
    ActionState.WAITING: "waiting for a retry",
    ActionState.BEGUN: "started, outcome not known yet",
    ActionState.DONE: "done",
    ActionState.FAILED: "failed for good",
}


class LineKind(StrEnum):
    """What a line of a timeline is: something that happened, more about it, or what comes next."""

    EVENT = "event"
    DETAIL = "detail"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a timeline. `at` is None if the time isn't known."""

    kind: LineKind
    at: datetime | None
    text: str

    def __str__(self) -> str:
        """Return the line for a terminal, in UTC."""
        text = {LineKind.DETAIL: f"  {self.text}", LineKind.NEXT: f"Next: {self.text}"}.get(self.kind, self.text)
        return f"  {f'{self.at:%Y-%m-%d %H:%M:%S}' if self.at else '':<19}  {text}"


def describe(
    record: Record,
    paused: str,
    trouble: str = "",
    opt_outs: Mapping[IdentityKind, datetime | None] = {},
) -> Iterator[str]:
    """Yield the timeline line by line, as a terminal shows it."""
    return map(str, tell(record, paused, trouble, opt_outs))


def tell(
    record: Record,
    paused: str,
    trouble: str = "",
    opt_outs: Mapping[IdentityKind, datetime | None] = {},
    zone: tzinfo = UTC,
) -> Iterator[Line]:
    """Yield the timeline.

    `paused` is the line about a pause, `trouble` that about an outage; `opt_outs` has the date of each opt-out. `zone`
    is that of times within a text.
    """
    yield from _describe_close(record)
    yield from _describe_decision(record)
    for trait, since in opt_outs.items():
        yield _line(since, f"This customer has opted out, by the {trait}{'' if since else ', on an unknown date'}.")
    yield from _describe_offer(record)
    if record.answer:
        yield from _describe_answer(record.answer)
    if record.follow_up:
        yield from _describe_follow_up(record.follow_up)
    if record.offer.reason == Reason.ERASED and record.offer.delivered_at:
        yield _line(None, f"Ended. All data on the customer is deleted: {Reason.ERASED}.")
        yield from _explain(Reason.ERASED)
    if record.latest_close and record.offer.due_at is None:
        yield _line(record.latest_close, f"Closed again. No new survey: {Reason.CLOSED_AGAIN}.")
        yield from _explain(Reason.CLOSED_AGAIN)
    yield from _describe_next(record, paused, zone)
    if trouble and is_waiting(record):
        yield _detail(f"{trouble}.")


def is_waiting(record: Record) -> bool:
    """Return whether any journey is due, now or later."""
    return any(each is not None and each.due_at is not None for each in (record.offer, record.answer, record.follow_up))


def is_paused(record: Record) -> bool:
    """Return whether a pause holds this survey back. A pause never holds back the reconciliation of a call."""
    return record.offer.due_at is not None and record.offer.call is None


def _describe_close(record: Record) -> Iterator[Line]:
    close = record.close
    if close is None:
        yield _line(record.accepted_at, "A customer answered after the record was lost. The link made a new one.")
        return
    agent = f"agent {close.agent_id}" if close.agent_id else "no agent"
    queue = f"queue {close.queue_name or close.queue_id}" if close.queue_name or close.queue_id else "no queue"
    facts = ", ".join(filter(None, (close.channel, close.direction, queue, agent)))
    yield _line(close.closed_at, f"Closed: {facts}.")
    accepted = _ACCEPTED[close.found_by]
    if record.candidates and record.decided_at is None:
        names = ", ".join(survey.name for survey in record.candidates)
        yield _line(record.accepted_at, f"{accepted} Surveys that may match: {names}.")
    else:
        yield _line(record.accepted_at, accepted)


def _describe_decision(record: Record) -> Iterator[Line]:
    offer, survey = record.offer, record.terms.name if record.terms else "none"
    if offer.state in _NOT_ASKED and not offer.delivered_at:
        yield _line(record.decided_at or record.accepted_at, f"{_NOT_ASKED[offer.state]}: {offer.reason}.")
        yield from _explain(offer.reason)
    elif record.decided_at:
        yield _line(record.decided_at, f"Matched survey {survey}.")
    for each in mismatches_of(record):
        who = f"Survey {each.survey} was not used" if each.survey else "No survey was used"
        rule = f"rule {each.rule}; " if each.rule else ""
        yield _detail(f"{who}: {each.reason} ({rule}found: {each.fact}).")
    facts = [f"{name} {fact}" for name, fact in record.facts.items() if name != "closed_at"]
    if facts:
        yield _detail(f"Facts: {'; '.join(facts)}.")


def _describe_offer(record: Record) -> Iterator[Line]:
    offer = record.offer
    for each in record.offers:
        yield _line(offer.offered_at, f"Offer created in Dixa: {each.rating}, rating id {each.rating_id}.")
    for channel in offer.failed:
        yield _line(None, f"Not delivered by {channel}: refused for good.")
    if offer.mailed_at and not offer.delivered_at:
        yield _line(offer.mailed_at, "An e-mail was handed to the mail server, without a response yet.")
    if offer.delivered_at:
        note = " Arrival not confirmed." if offer.note == UNCONFIRMED else ""
        yield _line(offer.delivered_at, f"Delivered by {offer.channel}.{note}")
    if offer.reminded_at:
        is_note = bool(offer.note) and offer.note != UNCONFIRMED
        yield _line(offer.reminded_at, f"Not reminded: {offer.note}." if is_note else "Reminded.")
    if offer.state is OfferState.FAILED:
        yield _line(offer.ended_at, f"Failed: {offer.reason}.")
        yield from _explain(offer.reason)


def _describe_answer(answer: AnswerProgress) -> Iterator[Line]:
    if answer.reason == Reason.ERASED:
        known = " Its result is in Dixa." if answer.state is AnswerState.SUBMITTED else ""
        yield _line(answer.answer.answered_at, f"Answered. The answer is deleted.{known}")
        return
    scores = _scores(answer.answer.scores)
    comment = ", with a comment" if answer.has_comment else ", without a comment"
    yield _line(answer.answer.answered_at, f"Answered: {scores}{comment}.")
    if answer.is_suspect:
        yield _detail("Suspect: it may be automatic. It came right after the link, or filled a hidden field.")
    if answer.state is AnswerState.SUBMITTED:
        yield _line(answer.ended_at, "Result submitted to Dixa.")
    if answer.state is AnswerState.FAILED:
        yield _line(answer.ended_at, f"Result not submitted: {answer.reason}.")
        yield from _explain(answer.reason)


def _scores(scores: Mapping[RatingType, int]) -> str:
    return ", ".join(f"{rating} {score}" for rating, score in scores.items())


def _describe_follow_up(found: FollowUp) -> Iterator[Line]:
    for name, each in found.actions.items():
        problem = f" ({each.problem})" if each.problem else ""
        sent = f" Sent: {_scores(each.sent_scores)}." if each.sent_scores else ""
        yield _line(None, f"Follow-up {name}: {_ACTIONS[each.state]}{problem}.{sent}")
    if not found.due_at and not found.actions and found.reason != Reason.ERASED:
        yield _line(None, "No follow-up for this answer.")


def _describe_next(record: Record, paused: str, zone: tzinfo) -> Iterator[Line]:
    offer, answer, follow_up = record.offer, record.answer, record.follow_up
    if offer.reason == Reason.ERASED:
        yield _next(None, "nothing")
        return
    if _has_failed(record):
        yield _next(None, f"nothing. To retry: afterword retry {record.conversation_id}")
        return
    is_followed = follow_up is not None and follow_up.due_at is not None
    if answer and not (is_followed and answer.state is AnswerState.SUBMITTED):
        what = _NEXT_SUSPECT if answer.is_provisional else _NEXT_ANSWER[answer.state]
        yield _next(answer.due_at, what + _tries(answer.tries))
    if follow_up and is_followed:
        yield _next(follow_up.due_at, f"run the follow-up{_tries(follow_up.tries)}")
    if answer and not (answer.is_provisional and offer.state is OfferState.REMINDING):
        return
    moment, opens = _next_step(record, zone)
    yield _next(moment, _NEXT_OFFER[offer.state] + opens + _tries(offer.tries))
    if paused and is_paused(record):
        yield _detail(paused)


def _next_step(record: Record, zone: tzinfo) -> tuple[datetime | None, str]:
    """Return the time of the offer's next step, and a note about the send window.

    With one candidate the step waits for its window. With several the decision comes first.
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
        return first, " (its send window opens then)"
    return offer.due_at, f" (the first send window opens at {first.astimezone(zone):%Y-%m-%d %H:%M})"


def _opening(window: SendWindow | None, due_at: datetime) -> datetime | None:
    """Return the opening of a window that is closed until then.

    A survey that waited for its window is due one second after the opening, so both moments are tried.
    """
    for moment in (due_at - timedelta(seconds=1), due_at):
        if (opening := next_opening(window, moment)) > moment:
            return opening
    return None


def _has_failed(record: Record) -> bool:
    """Return whether `afterword retry` has something to do. With an answer the offer no longer matters."""
    journeys = (record.answer or record.offer, record.follow_up)
    return any(each is not None and each.state == "failed" for each in journeys)


def _explain(reason: str) -> Iterator[Line]:
    yield _detail(Reason(reason).meaning)
    yield _detail(f"What to change: {Reason(reason).remedy}")


def _tries(tries: int) -> str:
    return f" (failed {'once' if tries == 1 else f'{tries} times'})" if tries else ""


def _line(moment: datetime | None, text: str) -> Line:
    return Line(LineKind.EVENT, moment, text)


def _detail(text: str) -> Line:
    return Line(LineKind.DETAIL, None, text)


def _next(moment: datetime | None, text: str) -> Line:
    return Line(LineKind.NEXT, moment, f"{text}.")
