"""Whom to ask: pure functions from facts and terms to a decision. No clock, no network, no state."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.surveys import Ask, Survey
from service.surveys.model import Close, OfferState, Reason
from service.surveys.ports import Conversation, Rating


@dataclass(frozen=True, slots=True)
class Choice:
    """Which survey a close leads to, or why to none."""

    survey: Survey | None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a survey that was waiting isn't sent: `skipped` by a rule, or `cancelled` by what happened since."""

    state: OfferState
    reason: Reason


def choose_survey(close: Close, surveys: Sequence[Survey]) -> Choice:
    """Pick the first survey that is for this close.

    When none is, the reason is the one that all surveys share, else `no_survey_matches`.
    """
    reasons: list[Reason] = []
    for survey in surveys:
        reason = next(_objections(close, survey.ask), None)
        if reason is None:
            return Choice(survey)
        reasons.append(reason)
    return Choice(None, reasons[0] if len(set(reasons)) == 1 else Reason.NO_SURVEY_MATCHES)


def find_refusal(conversation: Conversation, ratings: Sequence[Rating], ours: Sequence[str]) -> Refusal | None:
    """Look at Dixa's present view of a conversation, right before the offer; `ours` are rating ids we made."""
    if conversation.is_erased:
        return Refusal(OfferState.CANCELLED, Reason.ERASED)
    if conversation.state is not None and conversation.state != "Closed":
        return Refusal(OfferState.CANCELLED, Reason.REOPENED)
    if find_taken(ratings, ours):
        return Refusal(OfferState.SKIPPED, Reason.ALREADY_SURVEYED)
    return None


def find_taken(ratings: Sequence[Rating], ours: Sequence[str]) -> Rating | None:
    """Find a survey that isn't ours and is on its way or done."""
    return next((rating for rating in ratings if rating.status in _TAKEN and rating.id not in ours), None)


def is_in_sample(conversation_id: int, share: float) -> bool:
    """Draw the conversation's lot: the same each time it is asked, and in a larger share if in a smaller one."""
    digest = hashlib.sha256(f"afterword:{conversation_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


# Dixa's own survey, or another system's, is on its way or done (FACTS: ratingStatus).
_TAKEN = frozenset({"Scheduled", "Offered", "Rated"})


def _objections(close: Close, ask: Ask) -> Iterator[Reason]:
    tags = {tag.casefold() for tag in close.tags}
    if ask.channels and close.channel not in ask.channels:
        yield Reason.CHANNEL
    if ask.queues and not {close.queue_id, close.queue_name} & set(ask.queues):
        yield Reason.QUEUE
    if ask.directions and close.direction not in ask.directions:
        yield Reason.DIRECTION
    if any(tag.casefold() in tags for tag in ask.without_tags):
        yield Reason.TAG_EXCLUDED
    if not all(tag.casefold() in tags for tag in ask.with_tags):
        yield Reason.TAG_MISSING
    if ask.assigned and close.agent_id is None:
        yield Reason.UNASSIGNED
    if not is_in_sample(close.conversation_id, ask.sample):
        yield Reason.NOT_SAMPLED
