"""Which surveys a report is about: a period with the one before it, and one value of each dimension or all.

Every query of this package takes its conditions from here, so that a share's two numbers always have the same filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import Column, ColumnElement, and_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from service.archive.schema import SURVEY

DIMENSIONS: Final[Mapping[str, Column[Any]]] = {
    "survey": SURVEY.c.survey,
    "channel": SURVEY.c.channel,
    "queue": SURVEY.c.queue_id,
    "agent": SURVEY.c.agent_id,
    "language": SURVEY.c.language,
}
"""What surveys are filtered and divided by."""

NONE: Final = "-"
"""The value of a filter for surveys without one: no agent, no queue, no survey possible."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time: `since` is included and `until` is not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """The filters of a report. "" is all, and NONE is none."""

    period: Period
    before: Period
    survey: str = ""
    channel: str = ""
    queue: str = ""
    agent: str = ""
    language: str = ""

    def at(self, period: Period) -> Self:
        """Return the same selection of another period."""
        return replace(self, period=period)

    @property
    def with_before(self) -> Self:
        """The same selection of both periods together."""
        return self.at(Period(min(self.before.since, self.period.since), self.period.until))

    def where(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition for surveys of which this moment is in the period."""
        return and_(moment >= self.period.since, moment < self.period.until, *self.narrowing())

    def narrowing(self) -> list[ColumnElement[bool]]:
        """Return the conditions beside the period."""
        chosen = {column: getattr(self, name) for name, column in DIMENSIONS.items()}
        return [_is(column, value) for column, value in chosen.items() if value]


def _is(column: Column[Any], value: str) -> ColumnElement[bool]:
    if value == NONE:
        return column.is_(None) if column.nullable else column == ""
    return column == value


class Scanned(FunctionElement[Any]):
    """A time that is compared row by row. SQLite then reads the report's index in its order, which needs no sorting.

    Without statistics it would take any index that begins with the time, and sort a million rows.
    """

    inherit_cache = True

    def __init__(self, column: Column[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Scanned)
def _compile(element: Scanned, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(Scanned, "sqlite")
def _compile_for_sqlite(element: Scanned, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"
