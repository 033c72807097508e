"""The decision when a survey is due. Queries Dixa and the records for no more than the rules need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.rules.matching import (
    Choice,
    DixaFacts,
    choose_when_due,
    find_exclusion,
    is_by_agent,
    is_by_customer,
    needs_messages,
    needs_tags,
)
from service.rules.send_window import next_closing, next_opening
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close, Decision, Record
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.reasons import Reason
from service.surveys.states import Verdict

_LATER_EVENTS = (Reason.ERASED, Reason.REOPENED)
"""These cancel a survey. Any other reason is a rule, and skips it."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Queries about one conversation, made only if a rule needs them. They may raise a CallError.

    `reserve_channel` returns False if no channel can reach the customer. It may take the one try of a channel while
    that is down.
    """

    tags: Callable[[], tuple[str, ...]]
    messages: Callable[[], tuple[Message, ...]]
    is_opted_out: Callable[[], bool]
    is_answered: Callable[[], bool]
    is_too_late: Callable[[Survey], bool]
    reserve_channel: Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """A conversation with a survey due at `moment`. `ours` are Afterword's own rating ids."""

    record: Record
    close: Close
    conversation: Conversation
    ratings: Sequence[Rating]
    ours: Sequence[str]
    moment: datetime


def decide(given: DecisionInput, lookups: Lookups) -> Decision:
    """Decide whether to send a survey, and choose it."""
    record, close = given.record, given.close
    if exclusion := find_exclusion(given.conversation, given.ratings, given.ours):
        verdict = Verdict.CANCEL if exclusion in _LATER_EVENTS else Verdict.SKIP
        return Decision(verdict, exclusion, None, record.mismatches, _describe(given, None))
    wants_messages = needs_messages(record.candidates) or record.delivered_before
    facts = DixaFacts(
        conversation=given.conversation,
        tags=lookups.tags() if close.tags is None and needs_tags(record.candidates) else None,
        messages=lookups.messages() if wants_messages else None,
    )
    choice = choose_when_due(close, record.candidates, facts)
    mismatches = (*record.mismatches, *choice.mismatches)
    described = _describe(given, facts)
    if not choice.candidates:
        return Decision(Verdict.SKIP, Choice((), mismatches).reason, None, mismatches, described)
    survey = choice.candidates[0]
    if against := _find_reason_against(given, survey, facts, lookups):
        return Decision(Verdict.SKIP, against, survey, mismatches, described)
    opening = next_opening(survey.send_window, max(given.moment, due_at(record, close, survey)))
    verdict = Verdict.WAIT if opening > given.moment else Verdict.ASK
    return Decision(verdict, None, survey, mismatches, described, opening)


def due_at(record: Record, close: Close, survey: Survey) -> datetime:
    """Return when a survey is due by its delay alone. A close can't lie in the future."""
    return min(close.closed_at, record.accepted_at) + survey.delay


def is_too_late(record: Record, close: Close, survey: Survey, moment: datetime, within: timedelta) -> bool:
    """Return whether the time for a survey is over. Outside the send window the next opening is the last."""
    wanted_at = next_opening(survey.send_window, due_at(record, close, survey))
    return moment > next_closing(survey.send_window, max(wanted_at, record.offer.retried_at or wanted_at) + within)


def has_news(messages: Sequence[Message], since: datetime) -> bool:
    """Return whether the customer has written since. Our own message may have opened the conversation."""
    return any(is_by_customer(each) and each.created_at and each.created_at > since for each in messages)


def _find_reason_against(given: DecisionInput, survey: Survey, facts: DixaFacts, lookups: Lookups) -> Reason | None:
    """Check the rules about the chosen survey alone, the cheapest first."""
    record = given.record
    if lookups.is_too_late(survey):
        return Reason.TOO_LATE
    if record.delivered_before and not has_news(facts.messages or (), record.delivered_before):
        return Reason.NOTHING_NEW
    if record.earlier and not _wants_new_round(given, survey, lookups):
        return Reason.CLOSED_AGAIN
    if lookups.is_opted_out():
        return Reason.OPTED_OUT
    return None if lookups.reserve_channel(replace(record, terms=survey)) else Reason.UNREACHABLE


def _wants_new_round(given: DecisionInput, survey: Survey, lookups: Lookups) -> bool:
    """Return whether this survey is sent again after a reclose. Another candidate may have begun the round."""
    if survey.on_reclose is OnReclose.UNANSWERED:
        is_rated = any(each.id in given.record.earlier and each.status == "Rated" for each in given.ratings)
        return not (is_rated or lookups.is_answered())
    return survey.on_reclose is OnReclose.ALWAYS


def _describe(given: DecisionInput, facts: DixaFacts | None) -> dict[str, str]:
    """Return the facts for operators. No names and no message texts."""
    close, conversation = given.close, given.conversation
    described = close.facts | {
        "channel": close.channel or conversation.channel,
        "agent_id": close.agent_id or conversation.agent_id,
        "state": conversation.state,
        "language": conversation.language,
        "link": conversation.link,
        "ratings": ", ".join(f"{each.type} {each.status}" for each in given.ratings if each.id not in given.ours),
        "tags": ", ".join((close.tags if close.tags is not None else (facts and facts.tags)) or ()),
    }
    if facts and facts.messages is not None:
        described["customer_messages"] = str(sum(map(is_by_customer, facts.messages)))
        described["agent_messages"] = str(sum(map(is_by_agent, facts.messages)))
    return {name: fact for name, fact in described.items() if fact}
