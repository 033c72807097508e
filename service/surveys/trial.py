"""A trial of the rules on conversations that are closed already: what they would have decided. It writes nothing.

The decision is the journeys' own; here are the facts that Dixa's API tells of a past conversation, in place of those
of a webhook, and the turns that people take, which the records keep otherwise.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from config.surveys import Ask, Survey
from service.surveys.deciding import Asks, Case, decide
from service.surveys.model import Close, Decision, OfferProgress, OfferState, Reason, Record
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.rules import choose_at_close, find_refusal

_NOBODYS_ADDRESS = "somebody@invalid"
"""Stands for an address that the API doesn't tell, to find out who could be reached."""

_LONG = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Questions:
    """What else can be asked about a past conversation, when a rule needs it; `ours` are rating ids that we made."""

    ratings: Callable[[], Sequence[Rating]]
    tags: Callable[[], tuple[str, ...]]
    messages: Callable[[], tuple[Message, ...]]
    is_opted_out: Callable[[], bool]
    can_reach: Callable[[Record], bool]
    ours: Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one conversation: the survey to ask with at `due_at`, or the reason not to.

    `persons` is what the requester is known by; `unknown` are the rules whose facts the API doesn't tell: they were
    taken as met.
    """

    closed_at: datetime
    due_at: datetime
    survey: Survey | None
    reason: Reason | None
    persons: tuple[str, ...]
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a trial came to: how many would be asked by survey, and skipped by reason, and rules taken as met."""

    asked: Mapping[str, int]
    skipped: Mapping[Reason, int]
    unknown: Mapping[str, int]


def judge(
    conversation: Conversation,
    queue_names: Mapping[str, str],
    surveys: Sequence[Survey],
    questions: Questions,
) -> Verdict | None:
    """Decide about one conversation as if it had just been closed; None if it can't be known when it was."""
    if conversation.changed_at is None:
        return None
    close = _close_of(conversation, queue_names, conversation.changed_at)
    blind = [_without_unknown(survey, close) for survey in surveys]
    unknown = frozenset(rule for _, rules in blind for rule in rules)
    decision, due_at = _decide(close, conversation, [survey for survey, _ in blind], questions)
    is_asked = decision.verdict in (None, OfferState.WAITING)
    return Verdict(
        closed_at=close.closed_at,
        due_at=max(due_at, decision.due_at or due_at),
        survey=decision.survey if is_asked else None,
        reason=None if is_asked else decision.reason,
        persons=tuple(filter(None, (close.requester_id, close.email and close.email.casefold()))),
        unknown=unknown,
    )


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Give the turns of people and of days in the order of closing, and count what is left."""
    asked, skipped, unknown = Counter[str](), Counter[Reason](), Counter[str]()
    for verdict, reason in _take_turns(sorted(verdicts, key=lambda each: each.closed_at)):
        unknown.update(verdict.unknown)
        if reason:
            skipped[reason] += 1
        elif verdict.survey:
            asked[verdict.survey.name] += 1
    return Tally(asked, skipped, unknown)


def _take_turns(verdicts: Iterable[Verdict]) -> Iterator[tuple[Verdict, Reason | None]]:
    """Do what decide.lua does: a turn for each trait of a person, and one of the survey's for the day."""
    turns: dict[str, datetime] = {}
    asks = Counter[tuple[object, str]]()
    for verdict in verdicts:
        survey, reason = verdict.survey, verdict.reason
        if survey:
            day = (verdict.due_at.date(), survey.name)
            if any(who in turns and turns[who] + survey.again_after > verdict.due_at for who in verdict.persons):
                reason = Reason.ASKED_RECENTLY
            elif 0 < survey.daily_cap <= asks[day]:
                reason = Reason.DAILY_CAP
            else:
                asks[day] += 1
                turns |= dict.fromkeys(verdict.persons, verdict.due_at)
        yield verdict, reason


def _close_of(conversation: Conversation, queue_names: Mapping[str, str], closed_at: datetime) -> Close:
    return Close(
        conversation_id=conversation.id,
        closed_at=closed_at,
        channel=conversation.channel or None,
        direction=conversation.direction,
        queue_id=conversation.queue_id,
        queue_name=queue_names.get(conversation.queue_id or ""),
        contact_point=conversation.contact_point,
        requester_id=conversation.requester_id,
        agent_id=conversation.agent_id,
        tags=None,
        email=conversation.email,
    )


def _without_unknown(survey: Survey, close: Close) -> tuple[Survey, list[str]]:
    """Leave out the rules whose facts only a webhook tells, and `starts`: the trial is of what is to come."""
    told = {
        "contact_points": close.contact_point is not None,
        "user_types": False,
        "assignee_types": False,
        "addresses": close.email is not None,
        "without_addresses": close.email is not None,
    }
    unknown = [rule for rule, is_told in told.items() if not is_told and getattr(survey.ask, rule)]
    nothing: Any = dict.fromkeys(unknown, ())
    ask: Ask = replace(survey.ask, **nothing)
    if "email" in survey.deliver and close.email is None:
        unknown.append("deliver (whether there is an address)")
    return replace(survey, ask=ask, starts=None), unknown


def _decide(
    close: Close, conversation: Conversation, surveys: Sequence[Survey], questions: Questions
) -> tuple[Decision, datetime]:
    # What is anonymised has lost what the rules look at.
    if conversation.is_erased:
        return Decision(OfferState.CANCELLED, Reason.ERASED), close.closed_at
    choice = choose_at_close(close, surveys)
    candidates = tuple(survey.for_channel(close.channel) for survey in choice.candidates)
    # What Dixa says of it by now is asked for only when there is somebody to ask.
    early = find_refusal(conversation, (), ())
    if early or not candidates:
        reason = choice.reason or (early.reason if early else None)
        return Decision(OfferState.SKIPPED, reason, objections=choice.objections), close.closed_at
    record = Record(
        survey_id=str(close.conversation_id),
        conversation_id=close.conversation_id,
        accepted_at=close.closed_at,
        close=replace(close, email=close.email or _NOBODYS_ADDRESS),
        terms=candidates[0],
        offer=OfferProgress(OfferState.DECIDING, language=conversation.language or ""),
        candidates=candidates,
        objections=choice.objections,
    )
    due_at = close.closed_at + min(survey.delay for survey in candidates)
    case = Case(record, close, conversation, questions.ratings(), questions.ours(), due_at, _LONG)
    asks = Asks(
        tags=questions.tags,
        messages=questions.messages,
        is_opted_out=questions.is_opted_out,
        is_answered=lambda: False,
        can_reach=lambda survey: questions.can_reach(replace(record, terms=survey)),
    )
    return decide(case, asks), due_at
