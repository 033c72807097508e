"""The single answers of a period, newest first, a page at a time by a keyset cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self

from sqlalchemy import Column, ColumnElement, Connection, and_, func, or_, select

from service.archive.schema import SURVEY
from service.reports.scores import DETRACTORS, PROMOTERS, SATISFIED
from service.reports.selection import Selection
from service.reports.weeks import SCORES
from service.surveys.ratings import RatingType

_C = SURVEY.c
_EPOCH = datetime.fromtimestamp(0, UTC)
_US = timedelta(microseconds=1)


class Mood(StrEnum):
    """Which answers: unhappy ones (CSAT 1-2, NPS 0-6, thumbs down) or happy ones (CSAT 4-5, NPS 9-10, thumbs up).

    An answer with several ratings is both if they say so.
    """

    LOW = "low"
    HIGH = "high"


_MOODS: Final[Mapping[Mood, Sequence[ColumnElement[bool]]]] = {
    Mood.LOW: (_C.csat <= min(SATISFIED) - 2, _C.nps <= max(DETRACTORS), _C.thumbs == 0),
    Mood.HIGH: (_C.csat >= min(SATISFIED), _C.nps >= min(PROMOTERS), _C.thumbs == 1),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Which answers to list. None is all."""

    mood: Mood | None = None
    has_comment: bool = False
    is_suspect: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions in SQL."""
        found: list[ColumnElement[bool]] = [or_(*_MOODS[self.mood])] if self.mood else []
        if self.has_comment:
            found.append(_C.has_comment.is_(True))
        if self.is_suspect is not None:
            found.append(_C.is_suspect if self.is_suspect else ~_C.is_suspect)
        return found


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after an answer. The text is for a URL."""

    answered_at: datetime
    survey_id: str

    def __str__(self) -> str:
        return f"{(self.answered_at - _EPOCH) // _US}.{self.survey_id}"

    @classmethod
    def load(cls, text: str) -> Self:
        """Read a cursor. Raises ValueError."""
        number, _, survey_id = text.partition(".")
        if not (number.isdecimal() and number.isascii() and len(number) < _MAX_DIGITS and survey_id):
            raise ValueError("No cursor of ours.")
        return cls(_EPOCH + int(number) * _US, survey_id)


_MAX_DIGITS = 18
"""As many would be the year 5138. A datetime ends in 9999."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its survey."""

    survey_id: str
    conversation_id: int
    survey: str
    channel: str | None
    queue: str | None
    agent: str | None
    language: str | None
    answered_at: datetime
    submitted_at: datetime | None
    failure: str | None
    scores: Mapping[RatingType, int]
    has_comment: bool
    comment: str | None
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """A page of answers. `size` counts all of the kind, and `following` is the cursor of the next page."""

    answers: Sequence[Answer]
    size: int
    following: Cursor | None


def read_answers(
    connection: Connection, selection: Selection, kind: Kind, after: Cursor | None = None, *, limit: int = 50
) -> AnswerPage:
    """Read the answers after a cursor, or the newest."""
    wanted = (selection.where(_C.answered_at), _C.answered_at.is_not(None), *kind.conditions())
    size = connection.execute(select(func.count()).select_from(SURVEY).where(*wanted)).scalar_one()
    older = [_is_after(after)] if after else []
    query = select(SURVEY).where(*wanted, *older).order_by(_C.answered_at.desc(), _C.survey_id.desc()).limit(limit + 1)
    found = [_load(row) for row in connection.execute(query)]
    answers = found[:limit]
    last = answers[-1] if len(found) > limit else None
    return AnswerPage(answers, size, Cursor(last.answered_at, last.survey_id) if last else None)


def _is_after(cursor: Cursor) -> ColumnElement[bool]:
    at: Column[Any] = _C.answered_at
    same = and_(at == cursor.answered_at, _C.survey_id < cursor.survey_id)
    # The first condition is for the index.
    return and_(at <= cursor.answered_at, or_(at < cursor.answered_at, same))


def _load(row: Any) -> Answer:
    return Answer(
        survey_id=row.survey_id,
        conversation_id=row.conversation_id,
        survey=row.survey,
        channel=row.channel,
        queue=row.queue_id,
        agent=row.agent_id,
        language=row.language,
        answered_at=row.answered_at,
        submitted_at=row.submitted_at,
        failure=row.failure,
        scores={rating: score for rating, column in SCORES.items() if (score := getattr(row, column.name)) is not None},
        has_comment=row.has_comment,
        comment=row.comment,
        is_suspect=row.is_suspect,
    )
