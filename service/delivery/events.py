"""Events of surveys for the operator's own receiver: what is sent for each (docs/events.md)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from config.endpoints import SignedEndpoint
from service.delivery.webhook import Happened, SignedWebhooks, time_of
from service.records.codec import to_ms
from service.surveys.model import UNCONFIRMED, Record
from service.surveys.ports import Deadline
from service.surveys.states import OfferState, SurveyEvent

_ORDER = tuple(SurveyEvent)


def in_order(unsent: Mapping[str, datetime]) -> list[str]:
    """Return the names of events as they happened. Two of the same millisecond are in the order of a survey."""
    return sorted(unsent, key=lambda name: (unsent[name], _ORDER.index(name.partition(":")[0])))


class EventWebhooks:
    """Sends events."""

    def __init__(self, endpoint: SignedEndpoint, *, has_comments: bool) -> None:
        self._webhooks = SignedWebhooks(endpoint)
        self._has_comments = has_comments

    def send(self, record: Record, name: str, deadline: Deadline) -> None:
        """Send an unsent event of a record, as the record is now. Raises the errors of `Outbound.post`.

        The id names the event and its time, so each attempt has the same one.
        """
        kind, _, journey = name.partition(":")
        event, at = SurveyEvent(kind), record.unsent_events[name]
        happened = Happened(f"afterword-{record.survey_id}-{name.replace(':', '-')}-{to_ms(at)}", at)
        data = _failure(record, journey) if journey else _DATA[event](record)
        if event is SurveyEvent.ANSWERED and not self._has_comments:
            data["comment"] = None
        self._webhooks.send_event(event, record, data, happened, deadline)


def _asked(record: Record) -> dict[str, Any]:
    return {"asked_at": _time(record.decided_at)}


def _skipped(record: Record) -> dict[str, Any]:
    is_cancelled = record.offer.state is OfferState.CANCELLED
    mismatches = [
        {"survey": each.survey or None, "reason": each.reason, "rule": each.rule or None} for each in record.mismatches
    ]
    return {"reason": record.offer.reason or None, "is_cancelled": is_cancelled, "mismatches": mismatches}


def _delivered(record: Record) -> dict[str, Any]:
    offer = record.offer
    return {
        "delivered_by": offer.channel or None,
        "delivered_at": _time(offer.delivered_at),
        "is_confirmed": offer.note != UNCONFIRMED,
    }


def _reminded(record: Record) -> dict[str, Any]:
    return {"delivered_by": record.offer.channel or None, "reminded_at": _time(record.offer.reminded_at)}


def _answered(record: Record) -> dict[str, Any]:
    answer = record.answer
    given = answer.answer if answer else None
    return {
        "scores": dict(given.scores) if given else {},
        "comment": (given and given.comment) or None,
        "has_comment": bool(answer and answer.has_comment),
        "is_suspect": bool(answer and answer.is_suspect),
        "language": (given and given.language) or None,
        "answered_at": _time(given.answered_at if given else None),
        "final_at": _time(answer.due_at if answer else None),
    }


def _submitted(record: Record) -> dict[str, Any]:
    answer = record.answer
    return {
        "scores": dict(answer.answer.scores) if answer else {},
        "has_comment": bool(answer and answer.has_comment),
        "is_suspect": bool(answer and answer.is_suspect),
        "answered_at": _time(answer.answer.answered_at if answer else None),
        "submitted_at": _time(answer.ended_at if answer else None),
    }


def _failure(record: Record, journey: str) -> dict[str, Any]:
    progress = {"offer": record.offer, "answer": record.answer, "follow_up": record.follow_up}[journey]
    return {"journey": journey, "reason": (progress and progress.reason) or None}


def _time(moment: datetime | None) -> str | None:
    return time_of(moment) if moment else None


_DATA: Mapping[SurveyEvent, Callable[[Record], dict[str, Any]]] = {
    SurveyEvent.ASKED: _asked,
    SurveyEvent.SKIPPED: _skipped,
    SurveyEvent.DELIVERED: _delivered,
    SurveyEvent.REMINDED: _reminded,
    SurveyEvent.ANSWERED: _answered,
    SurveyEvent.SUBMITTED: _submitted,
}
