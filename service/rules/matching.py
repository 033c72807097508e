"""Whom to ask: pure functions from facts and terms to a decision. No clock, no network, no state.

A survey is chosen in two looks. At the close, from what the webhook says: a rule that needs more than that is left
open. When it is due, from what Dixa says by then, which also tells whether it is still right to ask at all.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from service.rules.machines import is_among, is_machine
from service.surveys.definition import Survey
from service.surveys.language_codes import find_language
from service.surveys.match import Match
from service.surveys.model import Close, Reason, RuleMismatch, Verdict
from service.surveys.ports import Conversation, Message, Rating

List = tuple[Reason, str, Sequence[str], Sequence[str | None]]
"""A rule that is a list: its reason, its name, what it wants, and the facts of which one must be in it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The surveys that a conversation may be asked with, best first, and why not with those before them."""

    candidates: tuple[Survey, ...]
    mismatches: tuple[RuleMismatch, ...] = ()

    @property
    def reason(self) -> Reason | None:
        """Why there is no candidate: the reason that all surveys share, else `no_survey_matches`."""
        if self.candidates:
            return None
        reasons = {mismatch.reason for mismatch in self.mismatches}
        return reasons.pop() if len(reasons) == 1 else Reason.NO_SURVEY_MATCHES


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a due survey isn't sent: skipped by a rule, or cancelled by a later event."""

    verdict: Verdict
    reason: Reason


@dataclass(frozen=True, slots=True)
class NeededLookups:
    """Which further questions to Dixa the rules need answered, each a call of its own."""

    tags: bool = False
    messages: bool = False


@dataclass(frozen=True, slots=True)
class DixaFacts:
    """What Dixa said when the survey was due. Tags or messages that no rule needs are None."""

    conversation: Conversation
    tags: tuple[str, ...] | None = None
    messages: tuple[Message, ...] | None = None


def choose_at_close(close: Close, surveys: Sequence[Survey], own: Collection[str] = ()) -> Choice:
    """Take the surveys that this close may lead to: the first that surely matches, and those before it that may.

    `own` are the addresses of our own mailboxes.
    """
    never = next(_never(close, own), None)
    if never:
        return Choice((), (never,))
    return _choose(surveys, lambda survey: _mismatches(close, survey), lambda survey: has_open_rules(close, survey))


def choose_when_due(close: Close, candidates: Sequence[Survey], seen: DixaFacts) -> Choice:
    """Take the first candidate that matches what Dixa says now."""
    return _choose(candidates, lambda survey: _late_mismatches(close, survey, seen), lambda _survey: False)


def needed_lookups(close: Close, candidates: Iterable[Survey]) -> NeededLookups:
    """Say what must be asked of Dixa before one of the candidates can be taken."""
    asks = [survey.match for survey in candidates]
    return NeededLookups(
        tags=close.tags is None and any(ask.with_tags or ask.without_tags for ask in asks),
        messages=any(ask.min_customer_messages or ask.min_agent_messages for ask in asks),
    )


def has_open_rules(close: Close, survey: Survey) -> bool:
    """Say whether a survey that matches a close may turn out not to when it is due."""
    return (
        bool(survey.match.languages)
        or needed_lookups(close, [survey]) != NeededLookups()
        or any(_untold(close, survey.match))
    )


def find_exclusion(conversation: Conversation, ratings: Sequence[Rating], ours: Sequence[str]) -> Exclusion | None:
    """Look at Dixa's present view of a conversation, right before the offer; `ours` are rating ids we made."""
    if conversation.is_erased:
        return Exclusion(Verdict.CANCEL, Reason.ERASED)
    if conversation.state is not None and conversation.state != "Closed":
        return Exclusion(Verdict.CANCEL, Reason.REOPENED)
    if conversation.direction == _INTERNAL:
        return Exclusion(Verdict.SKIP, Reason.INTERNAL)
    if conversation.link in _SIDES:
        return Exclusion(Verdict.SKIP, Reason.SIDE_CONVERSATION)
    if find_taken(ratings, ours):
        return Exclusion(Verdict.SKIP, Reason.ALREADY_SURVEYED)
    return None


def is_before(conversation: Conversation, close: Close) -> bool:
    """Say whether Dixa shows a conversation as it may have been before its close: open, and not opened since."""
    is_open = conversation.state not in {None, "Closed"} and not conversation.is_erased
    return is_open and (conversation.changed_at is None or conversation.changed_at <= close.closed_at)


def find_taken(ratings: Sequence[Rating], ours: Sequence[str]) -> Rating | None:
    """Find a survey that isn't ours and is on its way or done."""
    return next((rating for rating in ratings if rating.status in _TAKEN and rating.id not in ours), None)


def is_in_sample(conversation_id: int, share: float, lottery: str) -> bool:
    """Draw the conversation's lot: the same each time it is asked, and in a larger share if in a smaller one.

    Each survey is a lottery of its own: what one leaves out another may draw.
    """
    digest = hashlib.sha256(f"{lottery}:{conversation_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def is_by_customer(message: Message) -> bool:
    """Say whether a customer wrote this, and no machine of theirs."""
    return message.direction == "Inbound" and not message.is_automated


def is_by_agent(message: Message) -> bool:
    """Say whether an agent wrote this: no bot, no automatic reply, and not our own invitation."""
    is_ours = (message.external_id or "").startswith("afterword-")
    return message.direction == "Outbound" and not message.is_automated and not is_ours


_TAKEN = frozenset({"Scheduled", "Offered", "Rated"})
"""Dixa's own survey, or another system's, is on its way or done (Dixa's OpenAPI description, ratingStatus)."""

_INTERNAL = "Internal"
_SIDES = frozenset({"SideConversation", "EmailForward"})
"""Conversations with somebody else than the customer (Dixa's OpenAPI description, ConversationLink)."""


def _choose(
    surveys: Iterable[Survey],
    object_to: Callable[[Survey], Iterator[RuleMismatch]],
    is_open: Callable[[Survey], bool],
) -> Choice:
    candidates: list[Survey] = []
    mismatches: list[RuleMismatch] = []
    for survey in surveys:
        mismatch = next(object_to(survey), None)
        if mismatch:
            mismatches.append(mismatch)
            continue
        candidates.append(survey)
        if not is_open(survey):
            break
    return Choice(tuple(candidates), tuple(mismatches))


def _never(close: Close, own: Collection[str]) -> Iterator[RuleMismatch]:
    """Whatever the file says: nobody asks their own colleagues, or a mailbox that no customer reads."""
    if close.direction == _INTERNAL:
        yield RuleMismatch("", Reason.INTERNAL, "", "internal")
    if close.user_type == "Member":
        yield RuleMismatch("", Reason.MEMBER, "", "a member of the organisation")
    address = close.email or close.odd_email
    if address and is_among(address, [*own, *filter(None, [close.contact_point])]):
        yield RuleMismatch("", Reason.MACHINE, "", "an address of your own")
    elif address and is_machine(address):
        yield RuleMismatch("", Reason.MACHINE, "", "the address of a machine")


def _mismatches(close: Close, survey: Survey) -> Iterator[RuleMismatch]:
    """Go through the rules that the webhook's facts are enough for, in the order of the table in docs/surveys.md."""
    if survey.not_before and close.closed_at < survey.not_before:
        yield _mismatch(survey, Reason.BEFORE_START, "not_before", close.closed_at.isoformat(timespec="minutes"))
    untold = [rule for _, rule, _, _ in _untold(close, survey.match)]
    for reason, rule, wanted, facts in _lists(close, survey.match):
        if wanted and not set(facts) & set(wanted) and rule not in untold:
            yield _mismatch(survey, reason, rule, next(filter(None, facts), None))
    if close.tags is not None:
        yield from _tag_mismatches(survey, close.tags)
    yield from _address_mismatches(survey, close)
    if survey.match.assigned and close.agent_id is None:
        yield _mismatch(survey, Reason.UNASSIGNED, "assigned", "no agent")
    if survey.match.assignee_types and close.assignee_type not in survey.match.assignee_types:
        yield _mismatch(survey, Reason.ASSIGNEE_TYPE, "assignee_types", close.assignee_type)
    if not is_in_sample(close.conversation_id, survey.match.sample, survey.name):
        yield _mismatch(survey, Reason.NOT_SAMPLED, "sample", "not drawn")


def _untold(close: Close, ask: Match) -> Iterator[List]:
    """Give the lists whose fact the webhook lacks and Dixa tells when the survey is due."""
    told = {"channels": close.channel, "directions": close.direction}
    return (each for each in _lists(close, ask) if each[2] and told.get(each[1], "told") is None)


def _lists(close: Close, ask: Match) -> Iterator[List]:
    """Give the rules that are lists."""
    yield Reason.CHANNEL, "channels", ask.channels, [close.channel]
    yield Reason.QUEUE, "queues", ask.queues, [close.queue_name, close.queue_id]
    yield Reason.CONTACT_POINT, "contact_points", ask.contact_points, [close.contact_point]
    yield Reason.DIRECTION, "directions", ask.directions, [close.direction]
    yield Reason.USER_TYPE, "user_types", ask.user_types, [close.user_type]


def _late_mismatches(close: Close, survey: Survey, seen: DixaFacts) -> Iterator[RuleMismatch]:
    """Go through the rules that need more than the webhook says."""
    ask = survey.match
    known = replace(close, channel=seen.conversation.channel, direction=seen.conversation.direction)
    untold = [rule for _, rule, _, _ in _untold(close, ask)]
    for reason, rule, wanted, facts in _lists(known, ask):
        if rule in untold and not set(facts) & set(wanted):
            yield _mismatch(survey, reason, rule, facts[0])
    spoken = seen.conversation.language
    if ask.languages and find_language(spoken or "") not in ask.languages:
        yield _mismatch(survey, Reason.LANGUAGE, "languages", spoken)
    if close.tags is None and seen.tags is not None:
        yield from _tag_mismatches(survey, seen.tags)
    if seen.messages is not None:
        yield from _message_mismatches(survey, seen.messages)


def _tag_mismatches(survey: Survey, tags: Sequence[str]) -> Iterator[RuleMismatch]:
    named = {tag.casefold() for tag in tags}
    unwanted = [tag for tag in survey.match.without_tags if tag.casefold() in named]
    missing = [tag for tag in survey.match.with_tags if tag.casefold() not in named]
    if unwanted:
        yield _mismatch(survey, Reason.TAG_EXCLUDED, "without_tags", ", ".join(unwanted))
    if missing:
        yield _mismatch(survey, Reason.TAG_MISSING, "with_tags", f"without {', '.join(missing)}")


def _address_mismatches(survey: Survey, close: Close) -> Iterator[RuleMismatch]:
    """The fact isn't told: an address doesn't belong into a record that is kept."""
    ask = survey.match
    if ask.addresses and not _is_among(close.email, ask.addresses):
        yield _mismatch(survey, Reason.ADDRESS, "addresses", "another address" if close.email else "no address")
    if _is_among(close.email, ask.without_addresses):
        yield _mismatch(survey, Reason.ADDRESS, "without_addresses", "one of these")


def _is_among(address: str | None, named: Sequence[str]) -> bool:
    folded = (address or "").casefold()
    return bool(folded) and any(folded.endswith(each) if each.startswith("@") else folded == each for each in named)


def _message_mismatches(survey: Survey, messages: Sequence[Message]) -> Iterator[RuleMismatch]:
    ask: Match = survey.match
    by_customer = sum(map(is_by_customer, messages))
    by_agent = sum(map(is_by_agent, messages))
    if by_customer < ask.min_customer_messages:
        yield _mismatch(survey, Reason.FEW_CUSTOMER_MESSAGES, "min_customer_messages", str(by_customer))
    if by_agent < ask.min_agent_messages:
        yield _mismatch(survey, Reason.FEW_AGENT_MESSAGES, "min_agent_messages", str(by_agent))


def _mismatch(survey: Survey, reason: Reason, rule: str, fact: str | None) -> RuleMismatch:
    return RuleMismatch(survey.name, reason, rule, fact or "unknown")
