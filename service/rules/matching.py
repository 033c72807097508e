"""Which survey matches a conversation. Pure functions: no clock, no network, no state.

A survey is matched twice. At the close, by the facts of the webhook; rules about other facts stay open. When it is due,
by Dixa's facts at that time; these also show whether it is still right to ask at all.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from service.rules.machines import is_among, is_machine
from service.surveys.definition import Survey
from service.surveys.language_codes import find_language
from service.surveys.match import Match
from service.surveys.model import Close, RuleMismatch
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.reasons import Reason

_ACTIVE = frozenset({"Scheduled", "Offered", "Rated"})
"""Statuses of a survey on its way or done (Dixa's OpenAPI description, ratingStatus)."""

_INTERNAL = "Internal"
_SIDE_LINKS = frozenset({"SideConversation", "EmailForward"})
"""Conversations with somebody other than the customer (Dixa's OpenAPI description, ConversationLink)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The surveys to choose from, best first, and the mismatches of the others before them."""

    candidates: tuple[Survey, ...]
    mismatches: tuple[RuleMismatch, ...] = ()

    @property
    def reason(self) -> Reason | None:
        """The reason for having no candidate: the one shared by all surveys, else `no_survey_matches`."""
        if self.candidates:
            return None
        reasons = {mismatch.reason for mismatch in self.mismatches}
        return reasons.pop() if len(reasons) == 1 else Reason.NO_SURVEY_MATCHES


@dataclass(frozen=True, slots=True)
class DixaFacts:
    """Dixa's view when the survey is due. Tags and messages are None if no rule needs them."""

    conversation: Conversation
    tags: tuple[str, ...] | None = None
    messages: tuple[Message, ...] | None = None


def choose_at_close(close: Close, surveys: Sequence[Survey], own: Collection[str] = ()) -> Choice:
    """Return the possible matches, up to the first certain one.

    `own` are the addresses of our own mailboxes.
    """
    never = next(_always_excluded(close, own), None)
    if never:
        return Choice((), (never,))
    return _choose(surveys, lambda survey: _mismatches(close, survey), lambda survey: has_open_rules(close, survey))


def choose_when_due(close: Close, candidates: Sequence[Survey], facts: DixaFacts) -> Choice:
    """Return the first candidate to match Dixa's facts."""
    return _choose(candidates, lambda survey: _late_mismatches(close, survey, facts), lambda _survey: False)


def needs_tags(surveys: Iterable[Survey]) -> bool:
    """Return whether a rule is about tags. Dixa has one query for them."""
    return any(each.match.with_tags or each.match.without_tags for each in surveys)


def needs_messages(surveys: Iterable[Survey]) -> bool:
    """Return whether a rule is about messages. Dixa has one query for them."""
    return any(each.match.min_customer_messages or each.match.min_agent_messages for each in surveys)


def has_open_rules(close: Close, survey: Survey) -> bool:
    """Return whether a survey may match the webhook and still mismatch when it is due."""
    return (
        bool(survey.match.languages)
        or (close.tags is None and needs_tags([survey]))
        or needs_messages([survey])
        or bool(_open_lists(close, survey.match))
    )


def find_exclusion(
    conversation: Conversation, ratings: Sequence[Rating] = (), ours: Sequence[str] = ()
) -> Reason | None:
    """Return why no survey may be sent, by Dixa's view right before the offer. `ours` are our own rating ids."""
    if conversation.is_erased:
        return Reason.ERASED
    if conversation.state is not None and conversation.state != "Closed":
        return Reason.REOPENED
    if conversation.direction == _INTERNAL:
        return Reason.INTERNAL
    if conversation.link in _SIDE_LINKS:
        return Reason.SIDE_CONVERSATION
    return Reason.ALREADY_SURVEYED if active_ratings(ratings, ours) else None


def may_predate_close(conversation: Conversation, close: Close) -> bool:
    """Return whether this may be the conversation before its close: it is open, and wasn't opened after the close."""
    is_open = conversation.state not in {None, "Closed"} and not conversation.is_erased
    return is_open and (conversation.changed_at is None or conversation.changed_at <= close.closed_at)


def active_ratings(ratings: Sequence[Rating], ours: Sequence[str]) -> list[Rating]:
    """Return the surveys that are on their way or done, except ours. To find our lost ones, omit them from `ours`."""
    return [rating for rating in ratings if rating.status in _ACTIVE and rating.id not in ours]


def is_in_sample(conversation_id: int, share: float, salt: str) -> bool:
    """Return whether a conversation is in a random sample of this share.

    The result is the same each time, and a larger share contains a smaller one. With its own salt, each survey draws an
    independent sample.
    """
    digest = hashlib.sha256(f"{salt}:{conversation_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def is_by_customer(message: Message) -> bool:
    """Return whether a customer wrote this, rather than a machine of theirs."""
    return message.direction == "Inbound" and not message.is_automated


def is_by_agent(message: Message) -> bool:
    """Return whether an agent wrote this: no bot, no automatic reply, and not our own invitation."""
    is_ours = (message.external_id or "").startswith("afterword-")
    return message.direction == "Outbound" and not message.is_automated and not is_ours


def _choose(
    surveys: Iterable[Survey],
    find_mismatches: Callable[[Survey], Iterator[RuleMismatch]],
    is_open: Callable[[Survey], bool],
) -> Choice:
    candidates: list[Survey] = []
    mismatches: list[RuleMismatch] = []
    for survey in surveys:
        mismatch = next(find_mismatches(survey), None)
        if mismatch:
            mismatches.append(mismatch)
            continue
        candidates.append(survey)
        if not is_open(survey):
            break
    return Choice(tuple(candidates), tuple(mismatches))


def _always_excluded(close: Close, own: Collection[str]) -> Iterator[RuleMismatch]:
    """Yield the reasons against any survey: a colleague, or a mailbox without a human reader."""
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
    """Check the rules about facts of the webhook."""
    match = survey.match
    if survey.not_before and close.closed_at < survey.not_before:
        yield _mismatch(survey, Reason.BEFORE_START, "not_before", close.closed_at.isoformat(timespec="minutes"))
    still_open = _open_lists(close, match)
    yield from (each for each in _list_mismatches(survey, close) if each.rule not in still_open)
    if close.tags is not None:
        yield from _tag_mismatches(survey, close.tags)
    yield from _address_mismatches(survey, close)
    if match.assigned and close.agent_id is None:
        yield _mismatch(survey, Reason.UNASSIGNED, "assigned", "no agent")
    if match.assignee_types and close.assignee_type not in match.assignee_types:
        yield _mismatch(survey, Reason.ASSIGNEE_TYPE, "assignee_types", close.assignee_type)
    if not is_in_sample(close.conversation_id, match.sample, survey.name):
        yield _mismatch(survey, Reason.NOT_SAMPLED, "sample", "not drawn")


def _late_mismatches(close: Close, survey: Survey, facts: DixaFacts) -> Iterator[RuleMismatch]:
    """Check the rules about facts of Dixa's API."""
    match, conversation = survey.match, facts.conversation
    channel, direction = close.channel or conversation.channel, close.direction or conversation.direction
    yield from _list_mismatches(survey, replace(close, channel=channel, direction=direction))
    if match.languages and find_language(conversation.language or "") not in match.languages:
        yield _mismatch(survey, Reason.LANGUAGE, "languages", conversation.language)
    if close.tags is None and facts.tags is not None:
        yield from _tag_mismatches(survey, facts.tags)
    if facts.messages is not None:
        yield from _message_mismatches(survey, facts.messages)


def _list_mismatches(survey: Survey, close: Close) -> Iterator[RuleMismatch]:
    """Check the list rules. One is met if one of the facts is in its list."""
    match = survey.match
    lists: tuple[tuple[Reason, str, Sequence[str], Sequence[str | None]], ...] = (
        (Reason.CHANNEL, "channels", match.channels, [close.channel]),
        (Reason.QUEUE, "queues", match.queues, [close.queue_name, close.queue_id]),
        (Reason.CONTACT_POINT, "contact_points", match.contact_points, [close.contact_point]),
        (Reason.DIRECTION, "directions", match.directions, [close.direction]),
        (Reason.USER_TYPE, "user_types", match.user_types, [close.user_type]),
    )
    for reason, rule, allowed, facts in lists:
        if allowed and not set(allowed) & set(facts):
            yield _mismatch(survey, reason, rule, next(filter(None, facts), None))


def _open_lists(close: Close, match: Match) -> set[str]:
    """Return the names of the list rules with a fact in Dixa's API, but not in this webhook."""
    lists = {"channels": (match.channels, close.channel), "directions": (match.directions, close.direction)}
    return {name for name, (allowed, fact) in lists.items() if allowed and fact is None}


def _tag_mismatches(survey: Survey, tags: Sequence[str]) -> Iterator[RuleMismatch]:
    present = {tag.casefold() for tag in tags}
    unwanted = [tag for tag in survey.match.without_tags if tag.casefold() in present]
    missing = [tag for tag in survey.match.with_tags if tag.casefold() not in present]
    if unwanted:
        yield _mismatch(survey, Reason.TAG_EXCLUDED, "without_tags", ", ".join(unwanted))
    if missing:
        yield _mismatch(survey, Reason.TAG_MISSING, "with_tags", f"without {', '.join(missing)}")


def _address_mismatches(survey: Survey, close: Close) -> Iterator[RuleMismatch]:
    """Check the address. The record is kept for months, so the mismatch doesn't quote it."""
    match = survey.match
    if match.addresses and not _is_listed(close.email, match.addresses):
        yield _mismatch(survey, Reason.ADDRESS, "addresses", "another address" if close.email else "no address")
    if _is_listed(close.email, match.without_addresses):
        yield _mismatch(survey, Reason.ADDRESS, "without_addresses", "one of these")


def _is_listed(address: str | None, listed: Sequence[str]) -> bool:
    """Return whether an address, or its domain as `@example.com`, is in the list."""
    folded = (address or "").casefold()
    return bool(folded) and any(folded.endswith(each) if each.startswith("@") else folded == each for each in listed)


def _message_mismatches(survey: Survey, messages: Sequence[Message]) -> Iterator[RuleMismatch]:
    by_customer = sum(map(is_by_customer, messages))
    by_agent = sum(map(is_by_agent, messages))
    if by_customer < survey.match.min_customer_messages:
        yield _mismatch(survey, Reason.FEW_CUSTOMER_MESSAGES, "min_customer_messages", str(by_customer))
    if by_agent < survey.match.min_agent_messages:
        yield _mismatch(survey, Reason.FEW_AGENT_MESSAGES, "min_agent_messages", str(by_agent))


def _mismatch(survey: Survey, reason: Reason, rule: str, fact: str | None) -> RuleMismatch:
    return RuleMismatch(survey.name, reason, rule, fact or "unknown")
