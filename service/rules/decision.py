"""The decision: what Dixa says when a survey is due, held against the rules. It asks Dixa no more than they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.rules.matching import (
    Choice,
    Refusal,
    Seen,
    choose_when_due,
    find_refusal,
    is_by_agent,
    is_by_customer,
    looks_for,
)
from service.rules.send_window import next_closing, next_opening
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close, Decision, Objection, OfferState, Reason, Record
from service.surveys.ports import Conversation, Message, Rating


@dataclass(frozen=True, slots=True)
class Asks:
    """What else Dixa and the records can be asked about this conversation, when a rule needs it."""

    tags: Callable[[], tuple[str, ...]]
    messages: Callable[[], tuple[Message, ...]]
    is_opted_out: Callable[[], bool]
    is_answered: Callable[[], bool]
    is_too_late: Callable[[Survey], bool]
    can_reach: Callable[[Survey], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation whose survey is due at `moment`; `ours` are the rating ids that we made ourselves."""

    record: Record
    close: Close
    conversation: Conversation
    ratings: Sequence[Rating]
    ours: Sequence[str]
    moment: datetime


def decide(case: Case, asks: Asks) -> Decision:
    """Decide whether to ask, with which survey, and what that rests on."""
    refusal = find_refusal(case.conversation, case.ratings, case.ours)
    if refusal:
        return _refuse(refusal, case.record.objections, _tell(case, None))
    looks = looks_for(case.close, case.record.candidates)
    seen = Seen(
        conversation=case.conversation,
        tags=asks.tags() if looks.tags else None,
        messages=asks.messages() if looks.messages or case.record.delivered_before else None,
    )
    facts = _tell(case, seen)
    choice = choose_when_due(case.close, case.record.candidates, seen)
    objections = (*case.record.objections, *choice.objections)
    if not choice.candidates:
        reason = Choice((), objections).reason or Reason.NO_SURVEY_MATCHES
        return _refuse(Refusal(OfferState.SKIPPED, reason), objections, facts)
    survey = choice.candidates[0]
    objection = _object_to(case, survey, seen, asks)
    if objection:
        return _refuse(Refusal(OfferState.SKIPPED, objection), objections, facts, survey)
    opening = next_opening(survey.send_window, max(case.moment, due_at(case.record, case.close, survey)))
    verdict = OfferState.WAITING if opening > case.moment else None
    return Decision(verdict, None, survey, objections, facts, opening)


def due_at(record: Record, close: Close, survey: Survey) -> datetime:
    """Say when a survey was to be sent, by its delay alone. A close can't lie in the future."""
    return min(close.closed_at, record.accepted_at) + survey.delay


def is_too_late(record: Record, close: Close, survey: Survey, moment: datetime, within: timedelta) -> bool:
    """Say whether a survey's time is over. If that ends outside of its window, the next hours of it are the last."""
    wanted_at = next_opening(survey.send_window, due_at(record, close, survey))
    return moment > next_closing(survey.send_window, max(wanted_at, record.offer.revived_at or wanted_at) + within)


def _object_to(case: Case, survey: Survey, seen: Seen, asks: Asks) -> Reason | None:
    if asks.is_too_late(survey):
        return Reason.TOO_LATE
    if case.record.delivered_before and not has_news(seen.messages or (), case.record.delivered_before):
        return Reason.NOTHING_NEW
    if case.record.earlier and _is_asked_enough(case, survey, asks):
        return Reason.CLOSED_AGAIN
    if asks.is_opted_out():
        return Reason.OPTED_OUT
    return None if asks.can_reach(survey) else Reason.UNREACHABLE


def _is_asked_enough(case: Case, survey: Survey, asks: Asks) -> bool:
    """Say whether a new round is not what this survey wants: another was a candidate, or an answer came meanwhile."""
    if survey.on_reclose is OnReclose.UNANSWERED:
        return asks.is_answered() or any(
            each.id in case.record.earlier and each.status == "Rated" for each in case.ratings
        )
    return survey.on_reclose is OnReclose.NEVER


def has_news(messages: Sequence[Message], since: datetime) -> bool:
    """Say whether the customer has written since: our own message may have reopened the conversation."""
    return any(is_by_customer(each) and each.created_at and each.created_at > since for each in messages)


def _refuse(
    refusal: Refusal, objections: Sequence[Objection], facts: dict[str, str], survey: Survey | None = None
) -> Decision:
    return Decision(refusal.state, refusal.reason, survey, tuple(objections), facts)


def _tell(case: Case, seen: Seen | None) -> dict[str, str]:
    """Name the facts for an operator; nothing of what was said, and nobody's name."""
    conversation = case.conversation
    facts = {
        "closed_at": case.close.closed_at.isoformat(timespec="seconds"),
        "channel": case.close.channel or conversation.channel,
        "state": conversation.state,
        "language": conversation.language,
        "queue": case.close.queue_name or case.close.queue_id,
        "contact_point": case.close.contact_point,
        "user_type": case.close.user_type,
        "assignee_type": case.close.assignee_type,
        "agent_id": case.close.agent_id or conversation.agent_id,
        "link": conversation.link,
        "ratings": ", ".join(f"{each.type} {each.status}" for each in case.ratings if each.id not in case.ours),
        "tags": ", ".join((case.close.tags if case.close.tags is not None else (seen and seen.tags)) or ()),
    }
    if seen and seen.messages is not None:
        facts["customer_messages"] = str(sum(map(is_by_customer, seen.messages)))
        facts["agent_messages"] = str(sum(map(is_by_agent, seen.messages)))
    return {name: fact for name, fact in facts.items() if fact}
