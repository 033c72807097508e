"""The row of a record: what the archive keeps of it. No requester, no address, and a comment only if it is wanted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.archive.schema import Stage
from service.rules.mismatches import mismatches_of
from service.rules.nearest import find_nearest
from service.surveys.model import UNCONFIRMED, AnswerProgress, Record, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.retention import ArchiveRetention
from service.surveys.states import AnswerState, FollowUpState, OfferState

_ENDED = {
    OfferState.SKIPPED: Stage.SKIPPED,
    OfferState.CANCELLED: Stage.CANCELLED,
    OfferState.FAILED: Stage.FAILED,
    OfferState.REMINDING: Stage.DELIVERED,
    OfferState.DELIVERED: Stage.DELIVERED,
}
_ON_THE_WAY = (OfferState.OFFERED, OfferState.DELIVERING)
_ANSWERED = {AnswerState.SUBMITTED: Stage.SUBMITTED, AnswerState.FAILED: Stage.FAILED}


def make_row(record: Record, version: int, retention: ArchiveRetention, moment: datetime) -> dict[str, Any]:
    """Return the row of a record read at `moment`. `version` orders the rows of one survey."""
    close, offer, facts = record.close, record.offer, record.facts
    closed_at = close.closed_at if close else record.accepted_at
    agent_id = (close.agent_id if close else None) or facts.get("agent_id")
    expires = record.terms.expires if record.terms else None
    return {
        "survey_id": record.survey_id,
        "conversation_id": record.conversation_id,
        "version": version,
        "brand": record.terms.brand.name if record.terms else None,
        "channel": (close.channel if close else None) or facts.get("channel"),
        "direction": close.direction if close else None,
        "queue_id": close.queue_id if close else None,
        "queue_name": close.queue_name if close else None,
        "agent_id": agent_id if moment - closed_at < retention.agents else None,
        "language": offer.language or (record.answered.language if record.answer else "") or facts.get("language"),
        "contact_point": close.contact_point if close else None,
        "tags": list(close.tags) if close and close.tags else None,
        "found_by": close.found_by if close else None,
        "state": _stage_of(record),
        "closed_at": closed_at,
        "decided_at": record.decided_at,
        "asked_at": record.decided_at if _is_asked(record) else None,
        "delivered_at": offer.delivered_at,
        "final_at": offer.delivered_at + expires if offer.delivered_at and expires else None,
        "reminded_at": offer.reminded_at if _is_reminded(record) else None,
        "delivered_by": (offer.channel or None) if offer.delivered_at and offer.state not in _ON_THE_WAY else None,
        "is_unconfirmed": offer.note == UNCONFIRMED,
        "seconds_to_delivery": _seconds(closed_at, offer.delivered_at),
        **_why(record),
        **_answer(record.answer, retention, moment),
    }


def _is_asked(record: Record) -> bool:
    """Return whether the decision was to ask, and not only to wait."""
    is_open = record.offer.state not in (OfferState.WAITING, OfferState.SKIPPED, OfferState.CANCELLED)
    return is_open or bool(record.offers) or record.offer.delivered_at is not None


def _is_reminded(record: Record) -> bool:
    """Return whether a reminder was sent. The time of one that was not sent has a note of why."""
    return record.offer.reminded_at is not None and record.offer.note in ("", UNCONFIRMED)


def _stage_of(record: Record) -> Stage:
    offer, answer = record.offer, record.answer
    if offer.reason == Reason.ERASED or (answer and answer.reason == Reason.ERASED):
        return Stage.CANCELLED
    if answer:
        return _ANSWERED.get(answer.state, Stage.ANSWERED)
    return _ENDED.get(offer.state) or (Stage.ASKED if record.decided_at and _is_asked(record) else Stage.WAITING)


def _why(record: Record) -> dict[str, Any]:
    """Return the survey, and why it was not sent or has failed. Facts that a rule compared stay in the record."""
    mismatches = mismatches_of(record)
    name, rule = record.terms.name if record.terms else "", None
    failure, reason = _failure(record)
    if record.offer.state is OfferState.SKIPPED and mismatches:
        deciding = _deciding(record, mismatches)
        name, rule = deciding.survey or name, deciding.rule or None
        if reason == Reason.NO_SURVEY_MATCHES:
            reason = deciding.reason
    return {
        "survey": name,
        "reason": reason or None,
        "rule": rule,
        "failure": failure,
        "mismatches": [[each.survey, each.reason, each.rule] for each in mismatches] or None,
    }


def _deciding(record: Record, mismatches: tuple[RuleMismatch, ...]) -> RuleMismatch:
    """Return the mismatch that decided: that of the survey nearest to being sent."""
    of_reason = [each for each in mismatches if each.reason == record.offer.reason]
    return find_nearest(of_reason or mismatches) or mismatches[-1]


def _failure(record: Record) -> tuple[str | None, str]:
    """Return the journey that has failed, if any, and the reason of the failure or of not asking."""
    offer, answer, follow_up = record.offer, record.answer, record.follow_up
    if offer.reason == Reason.ERASED:
        return None, offer.reason
    if answer and answer.state is AnswerState.FAILED:
        return (None if answer.reason == Reason.ERASED else "answer"), answer.reason
    if follow_up and follow_up.state is FollowUpState.FAILED and follow_up.reason != Reason.ERASED:
        return "follow_up", follow_up.reason
    if answer:
        return None, ""
    return ("offer" if offer.state is OfferState.FAILED else None), offer.reason


def _answer(answer: AnswerProgress | None, retention: ArchiveRetention, moment: datetime) -> dict[str, Any]:
    given = answer.answer if answer else None
    scores: Mapping[RatingType, int] = given.scores if given else {}
    answered_at = given.answered_at if given else None
    submitted_at = answer.ended_at if answer and answer.state is AnswerState.SUBMITTED else None
    is_kept = bool(retention.comments and answered_at and moment - answered_at < retention.comments)
    known = answer if is_kept else None
    return {
        "answered_at": answered_at,
        "submitted_at": submitted_at,
        "seconds_to_dixa": _seconds(answered_at, submitted_at),
        "csat": scores.get(RatingType.CSAT),
        "nps": scores.get(RatingType.NPS),
        "thumbs": scores.get(RatingType.THUMBS),
        "has_comment": bool(answer and answer.has_comment),
        "comment": (known.answer.comment or None) if known else None,
        # The record forgets a comment once Dixa has it, and the row keeps the one with this hash.
        "comment_sha1": (known.comment_sha1 or None) if known else None,
        "is_suspect": bool(answer and answer.is_suspect),
    }


def _seconds(since: datetime | None, until: datetime | None) -> int | None:
    return max(int((until - since).total_seconds()), 0) if since and until else None
