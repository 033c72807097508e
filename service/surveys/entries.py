"""What waits in the spool, as JSON: a close or an answer with all that is needed to write it to the records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config.surveys import RatingType, Survey, dump_terms, load_terms
from service.surveys.fields import dump_close, from_ms, load_close, to_ms
from service.surveys.links import Link
from service.surveys.model import Close, Offer, Reason
from service.surveys.spool import Entry, EntryError


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer on its way in."""

    link: Link
    terms: Survey
    scores: Mapping[RatingType, int]
    comment: str
    language: str
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class SpooledClose:
    """A close that was accepted while Redis couldn't be written."""

    close: Close
    terms: Survey | None
    reason: Reason | None

    @property
    def survey_id(self) -> str:
        """The survey this is about."""
        return str(self.close.conversation_id)


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """An answer that was taken while Redis couldn't be written."""

    answer: GivenAnswer
    answered_at: datetime

    @property
    def survey_id(self) -> str:
        """The survey this is about."""
        return self.answer.link.survey_id


def write_close(close: Close, terms: Survey | None, reason: Reason | None) -> Entry:
    """Write a close, with the terms that were chosen for it."""
    return {
        "v": 1,
        "kind": "close",
        "conversation_id": close.conversation_id,
        "close": json.loads(dump_close(close)),
        "terms": json.loads(dump_terms(terms)) if terms else None,
        "reason": reason,
    }


def write_answer(answer: GivenAnswer) -> Entry:
    """Write an answer, with the time it was given: the latest one counts."""
    return {
        "v": 1,
        "kind": "answer",
        "survey_id": answer.link.survey_id,
        "conversation_id": answer.link.conversation_id,
        "survey": answer.link.survey_name,
        "rating_ids": {offer.rating: offer.rating_id for offer in answer.link.offers},
        "terms": json.loads(dump_terms(answer.terms)),
        "scores": dict(answer.scores),
        "comment": answer.comment,
        "language": answer.language,
        "is_suspect": answer.is_suspect,
        "answered_at": to_ms(datetime.now(UTC)),
    }


def read_entry(entry: Entry) -> SpooledClose | SpooledAnswer:
    """Read what this or an older version wrote. Raises EntryError."""
    try:
        return _read(entry)
    except Exception as error:
        # Every surprise means the same: waiting won't mend it, and what comes after it must not wait for it.
        raise EntryError(type(error).__name__) from error


def _read(entry: Entry) -> SpooledClose | SpooledAnswer:
    if entry["kind"] == "answer":
        return SpooledAnswer(_read_answer(entry), from_ms(entry["answered_at"]))
    if entry["kind"] != "close":
        raise ValueError(entry["kind"])
    terms = load_terms(json.dumps(entry["terms"])) if entry["terms"] else None
    reason = Reason(entry["reason"]) if entry["reason"] else None
    return SpooledClose(load_close(int(entry["conversation_id"]), json.dumps(entry["close"])), terms, reason)


def _read_answer(entry: Mapping[str, Any]) -> GivenAnswer:
    offers = tuple(Offer(RatingType(rating), str(rating_id)) for rating, rating_id in entry["rating_ids"].items())
    return GivenAnswer(
        link=Link(str(entry["survey_id"]), int(entry["conversation_id"]), str(entry["survey"]), offers),
        terms=load_terms(json.dumps(entry["terms"])),
        scores={RatingType(rating): int(score) for rating, score in entry["scores"].items()},
        comment=str(entry["comment"]),
        language=str(entry["language"]),
        is_suspect=bool(entry["is_suspect"]),
    )
