"""Counts of the archive for `afterword stats`: decisions by day, and how far surveys have come by a dimension.

Every function raises ArchiveUnavailable.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Engine, case, cast, func, or_, select, type_coerce

from service.archive.reading import reading
from service.archive.schema import SURVEY, Stage

_COLUMNS: Final = SURVEY.c
_DAY_MS: Final = 86_400_000
_DECIDED_AT: Final = func.coalesce(_COLUMNS.decided_at, _COLUMNS.closed_at, type_=_COLUMNS.closed_at.type)
"""A close that is skipped as it arrives has no later decision."""
_QUEUE: Final = func.coalesce(_COLUMNS.queue_name, _COLUMNS.queue_id, "")
DIMENSIONS: Final[Mapping[str, ColumnElement[str]]] = {
    "survey": _COLUMNS.survey,
    "channel": func.coalesce(_COLUMNS.channel, ""),
    "queue": _QUEUE,
}
STEPS: Final = {
    "closed": func.count(),
    "asked": func.count(_COLUMNS.asked_at),
    "delivered": func.count(_COLUMNS.delivered_at),
    "answered": func.count(_COLUMNS.answered_at),
    "submitted": func.count(_COLUMNS.submitted_at),
    "failed": func.count(_COLUMNS.failure),
}


def count_decisions(engine: Engine, since: date, only: Mapping[str, Sequence[str]]) -> dict[date, dict[str, int]]:
    """Count the decisions since a day by day and reason. `only` has allowed values of dimensions, in any case."""
    day = _day_of(engine.dialect.name)
    decision = case((_COLUMNS.asked_at.is_not(None), "asked"), else_=_COLUMNS.reason)
    query = (
        select(day, decision, func.count())
        .where(_begin(since) <= _DECIDED_AT, _COLUMNS.state != Stage.WAITING, *_conditions(only))
        .group_by(day, decision)
    )
    found: dict[date, dict[str, int]] = {}
    with reading(engine) as connection:
        for days, name, count in connection.execute(query):
            found.setdefault(date(1970, 1, 1) + timedelta(days=days), {})[name or "unknown"] = count
    return found


def count_steps(engine: Engine, since: date, by: str, only: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Count how far the surveys closed since a day have come, by a dimension, the most frequent value first."""
    value = DIMENSIONS[by]
    query = (
        select(value, *STEPS.values())
        .where(_COLUMNS.closed_at >= _begin(since), *_conditions(only))
        .group_by(value)
        .order_by(func.count().desc(), value)
    )
    with reading(engine) as connection:
        return {str(name): dict(zip(STEPS, counts, strict=True)) for name, *counts in connection.execute(query)}


def _conditions(only: Mapping[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    """Return the conditions of these values. A queue may be named by its id."""
    found: list[ColumnElement[bool]] = []
    for name, values in only.items():
        wanted = [each.lower() for each in values]
        matches = func.lower(DIMENSIONS[name]).in_(wanted)
        found.append(or_(matches, func.lower(_COLUMNS.queue_id).in_(wanted)) if name == "queue" else matches)
    return found


def _day_of(dialect: str) -> ColumnElement[Any]:
    """Return the number of the day of the decision since 1970, in UTC."""
    if dialect == "postgresql":
        return cast(func.extract("epoch", _DECIDED_AT), BigInteger) // (_DAY_MS // 1000)
    return type_coerce(_DECIDED_AT, BigInteger) // _DAY_MS


def _begin(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)
