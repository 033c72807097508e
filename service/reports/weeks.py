"""Answers week by week, beside the same weeks of the period before. Weeks end with the period's last day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Integer, column, func, select, values

from service.archive.schema import SURVEY, Moment
from service.reports.scores import Answers
from service.reports.selection import Period, Selection
from service.surveys.ratings import RatingType

_C = SURVEY.c
SCORES: Final = {RatingType.CSAT: _C.csat, RatingType.NPS: _C.nps, RatingType.THUMBS: _C.thumbs}
"""The columns of the scores."""

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Week:
    """The answers of seven local days, and of the same days of the period before. The first week may be shorter."""

    first: date
    last: date
    now: Answers = field(default_factory=Answers)
    before: Answers = field(default_factory=Answers)


def read_weeks(connection: Connection, selection: Selection, zone: ZoneInfo) -> list[Week]:
    """Read the answers of both periods, the oldest week first."""
    weeks = _divide(selection.period, zone)
    shift = _day(selection.period.since, zone) - _day(selection.before.since, zone)
    spans = [
        *(_span(week, timedelta(), selection.period, zone) for week in weeks),
        *(_span(week, shift, selection.before, zone) for week in weeks),
    ]
    places = [*(week.now for week in weeks), *(week.before for week in weeks)]
    numbered = [(number, each.since, each.until) for number, each in enumerate(spans)]
    span = (
        values(column("number", Integer), column("since", Moment), column("until", Moment), name="span")
        .data(numbered)
        .cte("span")
    )
    query = (
        select(span.c.number, *SCORES.values(), _C.is_suspect, func.count())
        .join_from(span, SURVEY, (_C.answered_at >= span.c.since) & (_C.answered_at < span.c.until))
        .where(_C.answered_at.is_not(None), *selection.narrowing())
        .group_by(span.c.number, *SCORES.values(), _C.is_suspect)
    )
    rows: Iterable[Any] = connection.execute(query)
    for number, csat, nps, thumbs, is_suspect, count in rows:
        given = {RatingType.CSAT: csat, RatingType.NPS: nps, RatingType.THUMBS: thumbs}
        places[number].add(given, count, is_suspect=is_suspect)
    return weeks


def _divide(period: Period, zone: ZoneInfo) -> list[Week]:
    first, last = _day(period.since, zone), _day(period.until - timedelta(microseconds=1), zone)
    weeks = []
    while last >= first:
        weeks.append(Week(max(first, last - _WEEK + _DAY), last))
        last -= _WEEK
    return weeks[::-1]


def _span(week: Week, shift: timedelta, period: Period, zone: ZoneInfo) -> Period:
    """Return a week's stretch of a period that lies this much earlier."""
    since = _midnight(week.first - shift, zone)
    until = _midnight(week.last - shift + _DAY, zone)
    return Period(max(since, period.since), min(until, period.until))


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def merge(answers: Sequence[Answers]) -> Answers:
    """Return the sum of answers."""
    total = Answers()
    for each in answers:
        total.people += each.people
        total.suspects += each.suspects
        for rating in RatingType:
            total.scores[rating].counts += each.scores[rating].counts
            total.suspect_scores[rating].counts += each.suspect_scores[rating].counts
    return total
