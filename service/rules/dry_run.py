"""A trial of the rules on conversations that are closed already: what they would have decided. It writes nothing.

The decision is the journeys' own; here are the facts that Dixa's API tells of a past conversation, in place of those
of a webhook. Where a list hangs on a fact that the API doesn't tell, it is decided both ways.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from service.rules.decision import DecisionInput, Lookups, decide
from service.rules.matching import choose_at_close, find_exclusion
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.model import Close, Decision, OfferProgress, OfferState, Reason, Record, Verdict
from service.surveys.ports import Conversation, Message, Rating

_NOBODYS_ADDRESS = "somebody@invalid"
"""Stands for an address that the API doesn't tell, to find out who could be reached."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What else can be asked about a past conversation, when a rule needs it; `ours` are rating ids that we made.

    `own_addresses` are those of our own mailboxes.
    """

    ratings: Callable[[], Sequence[Rating]]
    tags: Callable[[], tuple[str, ...]]
    messages: Callable[[], tuple[Message, ...]]
    is_opted_out: Callable[[], bool]
    can_reach: Callable[[Record], bool]
    ours: Callable[[], Sequence[str]]
    own_addresses: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules come to: `reason` is why not to ask, and the survey is the one that it came to, if any.

    `unknown` are the rules of that survey whose facts the API doesn't tell: it is so if they are met.
    """

    survey: Survey | None
    reason: Reason | None
    due_at: datetime
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What the rules say of one conversation. Of several outcomes each holds if what the one before supposes isn't so.

    `persons` is what the requester is known by; `taken_as_met` are rules that leave people out, of whom the API
    doesn't tell whether this is one.
    """

    closed_at: datetime
    persons: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    taken_as_met: frozenset[str] = frozenset()


def judge(
    conversation: Conversation,
    queue_names: Mapping[str, str],
    surveys: Sequence[Survey],
    questions: Questions,
) -> DryRunResult | None:
    """Decide about one conversation as if it had just been closed; None if it can't be known when it was."""
    if conversation.changed_at is None:
        return None
    close = _close_of(conversation, queue_names, conversation.changed_at)
    # The trial is of what is to come.
    begun = [replace(survey, not_before=None) for survey in surveys]
    outcomes = tuple(_outcomes(close, conversation, begun, _once(questions)))
    asking = [each.survey.match for each in outcomes if each.survey and not each.reason]
    is_blind = close.email is None and any(ask.without_addresses for ask in asking)
    return DryRunResult(
        closed_at=close.closed_at,
        persons=tuple(filter(None, (close.requester_id, close.email and close.email.casefold()))),
        outcomes=outcomes,
        taken_as_met=frozenset({"without_addresses"} if is_blind else ()),
    )


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


def _once(questions: Questions) -> Questions:
    """Ask each question no more than once, however many ways it is decided."""
    return replace(
        questions,
        ratings=cache(questions.ratings),
        tags=cache(questions.tags),
        messages=cache(questions.messages),
        is_opted_out=cache(questions.is_opted_out),
        ours=cache(questions.ours),
    )


def _unknown_rules(ask: Match, close: Close) -> tuple[str, ...]:
    """Name the lists of which only a webhook tells whether this close is in them. Who has no agent has no assignee."""
    told = {
        "contact_points": close.contact_point is not None,
        "user_types": False,
        "assignee_types": close.agent_id is None,
        "addresses": close.email is not None,
    }
    return tuple(rule for rule, is_told in told.items() if not is_told and getattr(ask, rule))


def _outcomes(
    close: Close, conversation: Conversation, surveys: Sequence[Survey], questions: Questions
) -> Iterator[Outcome]:
    """Decide as if what is unknown were met, and again without the survey that this led to, until one is sure.

    A list that is left as it is written isn't met: the fact is missing.
    """
    unknown = {survey.name: _unknown_rules(survey.match, close) for survey in surveys}
    while True:
        supposed = [_as_if_met(survey, unknown[survey.name]) for survey in surveys]
        with_address = {name for name, rules in unknown.items() if "addresses" in rules}
        found = _decide(close, conversation, supposed, questions, with_address)
        rules = unknown.get(found.survey.name, ()) if found.survey else ()
        if found.reason is Reason.UNREACHABLE and close.email is None:
            by_email = _decide(close, conversation, supposed, questions, set(unknown))
            if not by_email.reason:
                yield replace(by_email, unknown=(*rules, "deliver"))
        yield replace(found, unknown=rules)
        if not (found.survey and rules):
            return
        unknown[found.survey.name] = ()


def _as_if_met(survey: Survey, rules: Sequence[str]) -> Survey:
    nothing: Any = dict.fromkeys(rules, ())
    return replace(survey, match=replace(survey.match, **nothing))


def _decide(
    close: Close,
    conversation: Conversation,
    surveys: Sequence[Survey],
    questions: Questions,
    with_address: Collection[str],
) -> Outcome:
    """Decide once; for the surveys named `with_address` there is an address, though the API tells none."""
    # What is anonymised has lost what the rules look at.
    if conversation.is_erased:
        return Outcome(None, Reason.ERASED, close.closed_at)
    choice = choose_at_close(close, surveys, questions.own_addresses)
    candidates = tuple(survey.for_channel(close.channel) for survey in choice.candidates)
    # What Dixa says of it by now is asked for only when there is somebody to ask.
    early = find_exclusion(conversation, (), ())
    if early or not candidates:
        return Outcome(None, choice.reason or (early.reason if early else None), close.closed_at)
    record = Record(
        survey_id=str(close.conversation_id),
        conversation_id=close.conversation_id,
        accepted_at=close.closed_at,
        close=close,
        terms=candidates[0],
        offer=OfferProgress(OfferState.DECIDING, language=conversation.language or ""),
        candidates=candidates,
        mismatches=choice.mismatches,
    )

    def can_reach(survey: Survey) -> bool:
        email = close.email or (_NOBODYS_ADDRESS if survey.name in with_address else None)
        return questions.can_reach(replace(record, terms=survey, close=replace(close, email=email)))

    due_at = close.closed_at + min(survey.delay for survey in candidates)
    given = DecisionInput(record, close, conversation, questions.ratings(), questions.ours(), due_at)
    lookups = Lookups(
        tags=questions.tags,
        messages=questions.messages,
        is_opted_out=questions.is_opted_out,
        is_answered=lambda: False,
        is_too_late=lambda _: False,
        can_reach=can_reach,
    )
    return _outcome(decide(given, lookups), due_at)


def _outcome(decision: Decision, due_at: datetime) -> Outcome:
    is_asked = decision.verdict in (Verdict.ASK, Verdict.WAIT)
    reason = None if is_asked else decision.reason
    return Outcome(decision.survey, reason, max(due_at, decision.due_at or due_at))
