"""The content of the Dixa Custom Card: a customer's last surveys and what comes next, as data and as English texts.

No name, address, number or comment is in it: every agent who opens a conversation of this customer sees the card.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.delivery.answer_text import describe_scores
from service.surveys.model import AnswerProgress, OfferProgress, Record
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, OfferState

MAX_SURVEYS: Final = 5
_NOT_ASKED = (OfferState.SKIPPED, OfferState.CANCELLED)
_NOT_YET_OR_NOT_ASKED = (*_NOT_ASKED, OfferState.WAITING, OfferState.DECIDING)
_BY = {"message": "in the conversation", "email": "by e-mail", "note": "by a note", "webhook": "by your own sender"}
_GOOD, _POOR = {RatingType.CSAT: 4, RatingType.NPS: 9, RatingType.THUMBS: 1}, {RatingType.CSAT: 2, RatingType.NPS: 6}
"""From, and up to, which score a rating is good or poor. A thumb is poor if it isn't good."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of a customer. `conversation` is the latest survey of the conversation with the card.

    `surveys` are those that asked this customer, latest first. `opted_out` has the time of an opt-out, if it is known.
    """

    at: datetime
    zone: ZoneInfo
    conversation: Record | None
    surveys: Sequence[Record]
    is_opted_out: bool
    opted_out_at: datetime | None
    cooldown_until: datetime | None


def make_card(facts: CardFacts) -> dict[str, Any]:
    """Return the card as JSON has it."""
    words = _Words(facts.at, facts.zone)
    here = facts.conversation
    shown = [each for each in facts.surveys if _is_shown(each)][:MAX_SURVEYS]
    surveys = [_survey(each, words) | {"is_this_conversation": _is_same(each, here)} for each in shown]
    cooldown_until = facts.cooldown_until if facts.cooldown_until and facts.cooldown_until > facts.at else None
    return {
        "headline": surveys[0]["title"] if surveys else "No survey yet",
        "next": _next(facts, here, cooldown_until, words),
        "is_opted_out": facts.is_opted_out,
        "opted_out_at": _iso(facts.opted_out_at),
        "cooldown_until": _iso(cooldown_until),
        "conversation": _survey(here, words) if here and here.offer.reason != Reason.ERASED else None,
        "surveys": surveys,
    }


@dataclass(frozen=True, slots=True)
class _Words:
    at: datetime
    zone: ZoneInfo

    def day(self, moment: datetime) -> str:
        there = moment.astimezone(self.zone)
        return f"{there.day} {there:%b %Y}"

    def time(self, moment: datetime) -> str:
        """Return the time, with its date unless it is today."""
        there = moment.astimezone(self.zone)
        is_today = there.date() == self.at.astimezone(self.zone).date()
        return f"{there:%H:%M}" if is_today else f"{self.day(moment)}, {there:%H:%M}"


def _is_shown(record: Record) -> bool:
    # An erased survey is cancelled.
    return record.offer.state not in _NOT_YET_OR_NOT_ASKED or _answer_of(record) is not None


def _is_same(record: Record, here: Record | None) -> bool:
    return here is not None and record.conversation_id == here.conversation_id


def _answer_of(record: Record) -> AnswerProgress | None:
    return record.answer if record.answer and record.answer.reason != Reason.ERASED else None


def _survey(record: Record, words: _Words) -> dict[str, Any]:
    answer, offer = _answer_of(record), record.offer
    state, title, text = _answered(answer, words) if answer else _unanswered(record, words)
    is_in_dixa = bool(answer) and state == "submitted"
    return {
        "survey_id": record.survey_id,
        "conversation_id": record.conversation_id,
        "survey": record.terms.name if record.terms else None,
        "state": state,
        "title": title,
        "text": text,
        "tone": _tone(answer.answer.scores) if answer else "none",
        "reason": offer.reason or None,
        "due_at": _iso(offer.due_at),
        "asked_at": _iso(record.decided_at if state not in {"skipped", "cancelled", "waiting"} else None),
        "delivered_at": _iso(offer.delivered_at),
        "reminded_at": _iso(offer.reminded_at),
        "answered_at": _iso(answer.answer.answered_at if answer else None),
        "scores": dict(answer.answer.scores) if answer else {},
        "has_comment": bool(answer and answer.has_comment),
        "is_suspect": bool(answer and answer.is_suspect),
        "is_in_dixa": is_in_dixa,
    }


def _answered(answer: AnswerProgress, words: _Words) -> tuple[str, str, str]:
    """Return the state of an answer, its title and its text."""
    title = f"{describe_scores(answer.answer.scores)}, {words.day(answer.answer.answered_at)}"
    hints = ["With a comment: see the conversation."] if answer.has_comment else []
    if answer.is_suspect:
        hints.append("Perhaps not by the customer: a machine may have opened the link.")
    match answer.state:
        case AnswerState.SUBMITTED:
            return "submitted", title, _join("The result is in Dixa.", hints)
        case AnswerState.FAILED:
            return "failed", title, _join("The result could not be stored in Dixa.", hints)
        case AnswerState.EDITABLE if answer.due_at:
            return (
                "answered",
                title,
                _join(f"Can be changed until {words.time(answer.due_at)}, then goes to Dixa.", hints),
            )
    return "answered", title, _join("The result is on its way to Dixa.", hints)


def _unanswered(record: Record, words: _Words) -> tuple[str, str, str]:
    """Return the state of a survey without an answer, its title and its text."""
    offer = record.offer
    if offer.state in _NOT_ASKED:
        return str(offer.state), "Not asked", _meaning(offer.reason)
    if offer.state is OfferState.WAITING:
        due = f" at {words.time(offer.due_at)}" if offer.due_at else ""
        return "waiting", "Survey waiting", f"Whether to ask this customer is decided{due}."
    if offer.state is OfferState.FAILED:
        return "failed", "Survey not sent", _meaning(offer.reason)
    if not offer.delivered_at:
        return "asked", "Survey being sent", "The customer has no link yet."
    title = f"Asked {_BY.get(offer.channel, '')}, {words.day(offer.delivered_at)}".replace(" ,", ",")
    return "delivered", title, _waited(record, offer, offer.delivered_at, words)


def _waited(record: Record, offer: OfferProgress, delivered_at: datetime, words: _Words) -> str:
    ends_at = delivered_at + record.terms.expires if record.terms else None
    if ends_at and ends_at <= words.at:
        return "Not answered. The link has expired."
    if offer.state is OfferState.REMINDING and offer.due_at:
        return f"No answer yet. A reminder follows on {words.day(offer.due_at)}."
    return f"No answer yet. The link works until {words.day(ends_at)}." if ends_at else "No answer yet."


def _next(facts: CardFacts, here: Record | None, cooldown_until: datetime | None, words: _Words) -> str:
    if facts.is_opted_out:
        since = f" since {words.day(facts.opted_out_at)}" if facts.opted_out_at else ""
        return f"This customer wants no surveys{since}."
    if here and here.offer.state is OfferState.WAITING:
        return _unanswered(here, words)[2]
    if cooldown_until:
        return f"The next survey is possible from {words.day(cooldown_until)} on."
    return "A survey may follow when a conversation is closed."


def _tone(scores: Mapping[RatingType, int]) -> str:
    """Return good, fair or poor, as the first rating is."""
    for rating, score in scores.items():
        if score >= _GOOD[rating]:
            return "good"
        return "poor" if score <= _POOR.get(rating, 0) else "fair"
    return "none"


def _meaning(reason: str) -> str:
    return Reason(reason).meaning if reason in set(Reason) else ""


def _join(first: str, others: Iterable[str]) -> str:
    return " ".join((first, *others))


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
