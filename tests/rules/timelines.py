"""Examples of records, and the lines of their timelines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.rules.timeline import describe
from service.surveys.definition import Survey
from service.surveys.model import (
    Answer,
    AnswerProgress,
    OfferProgress,
    Record,
)
from service.surveys.ratings import RatingType
from service.surveys.states import AnswerState, OfferState
from tests.rules.examples import close_of

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def at(minute: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=minute)


ANSWER = Answer({RatingType.CSAT: 4, RatingType.NPS: 9}, "Thanks", "en", at(30))
CLOSED = "2026-11-20 00:00:00  Closed: Email, Inbound, queue Returns, agent agent."
ACCEPTED = "2026-11-20 00:01:00  Webhook accepted."
DELIVERED: dict[str, Any] = {"offered_at": at(5), "delivered_at": at(6), "channel": "message"}


def record_of(state: OfferState = OfferState.DELIVERED, reason: str = "", **offer: Any) -> Record:
    return Record(
        "48213",
        48213,
        at(1),
        close_of(),
        Survey("mails"),
        OfferProgress(state, reason, **offer),
        candidates=(Survey("mails"),),
        decided_at=at(4),
    )


def answered(state: AnswerState = AnswerState.EDITABLE, **answer: Any) -> Record:
    return replace(record_of(**DELIVERED), answer=AnswerProgress(state, ANSWER, **answer))


def lines_of(record: Record, paused: str = "", trouble: str = "") -> list[str]:
    """Return the lines of the timeline without their indent."""
    return [line.strip() for line in describe(record, paused, trouble)]


def next_of(record: Record) -> list[str]:
    return [line for line in lines_of(record) if "Next: " in line]
