"""The funnel of the surveys closed in a period: how many came how far, and why the others didn't."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from service.archive.schema import SURVEY, Stage
from service.reports.durations import Durations
from service.reports.selection import Scanned, Selection
from service.surveys.reasons import Reason

_C = SURVEY.c


class Step(StrEnum):
    """The steps of the funnel, in their order. A survey that has made one has made those before it."""

    CLOSED = "closed"
    ASKED = "asked"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    SUBMITTED = "submitted"


_STEPS = tuple(Step)
_MADE: Mapping[Step, ColumnElement[Any]] = {
    Step.CLOSED: literal_column("*"),
    # A customer may answer although the delivery was never confirmed.
    Step.ASKED: func.coalesce(_C.asked_at, _C.delivered_at, _C.answered_at),
    Step.DELIVERED: func.coalesce(_C.delivered_at, _C.answered_at),
    Step.ANSWERED: _C.answered_at,
    Step.SUBMITTED: _C.submitted_at,
}
_COUNTS = [func.count(made).label(step) for step, made in _MADE.items()]
_CAUSES = (_C.state, _C.reason, _C.rule, _C.survey, _C.failure)
"""What surveys are counted by. SQLite's index `survey_funnel` begins with them."""


class Ending(StrEnum):
    """Why a survey without a reason has not made a step."""

    UNDECIDED = "undecided"
    ON_ITS_WAY = "on_its_way"
    LINK_WORKS = "link_works"
    LINK_EXPIRED = "link_expired"
    IN_HAND = "in_hand"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True)
class Cause:
    """Surveys that made a step and not the next one, for one reason. `rules` counts them by survey and rule."""

    step: Step
    cause: Reason | Ending
    has_failed: bool
    count: int = 0
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A survey's rule that conversations did not meet, and how many of those not asked. They count for each survey."""

    survey: str
    reason: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """The funnel of a selection. `before` has the steps of the period before, `suspects` are among the answered."""

    steps: Mapping[Step, int]
    before: Mapping[Step, int]
    causes: Sequence[Cause]
    suspects: int
    failed_follow_ups: int
    mismatches: Sequence[Mismatch] | None
    to_delivery: Durations
    to_dixa: Durations

    def lost_after(self, step: Step) -> list[Cause]:
        """Return why surveys did not get from this step to the next one, the most frequent cause first."""
        return [cause for cause in self.causes if cause.step is step]


def read_funnel(connection: Connection, selection: Selection, now: datetime, *, unfold: bool = False) -> Funnel:
    """Read the funnel. With `unfold`, the mismatches of all surveys as well."""
    rows = _read_groups(connection, selection, now, unfold=unfold)
    causes: dict[tuple[Step, Reason | Ending, bool], Cause] = {}
    for row in rows:
        for step, cause, count in _lost(row):
            has_failed = row.failure is not None and cause not in _OPEN
            found = causes.setdefault((step, cause, has_failed), Cause(step, cause, has_failed))
            found.count += count
            if row.rule:
                found.rules[(row.survey, row.rule)] += count
    return Funnel(
        steps={step: sum(getattr(row, step) for row in rows) for step in _STEPS},
        before=_read_steps(connection, selection.at(selection.before)),
        causes=sorted(causes.values(), key=lambda each: (_STEPS.index(each.step), each.cause in _OPEN, -each.count)),
        suspects=sum(row.suspects for row in rows),
        failed_follow_ups=sum(row.closed for row in rows if row.failure == "follow_up"),
        mismatches=_count_mismatches(rows) if unfold else None,
        to_delivery=Durations.read(connection, selection, _C.delivered_at, _C.seconds_to_delivery),
        # A suspect answer waits a day for Dixa on purpose.
        to_dixa=Durations.read(connection, selection, _C.answered_at, _C.seconds_to_dixa, ~_C.is_suspect),
    )


_OPEN = (Ending.UNDECIDED, Ending.ON_ITS_WAY, Ending.LINK_WORKS, Ending.IN_HAND)
"""Endings that are none yet."""


def _read_groups(connection: Connection, selection: Selection, now: datetime, *, unfold: bool) -> Sequence[Any]:
    causes = (*_CAUSES, _C.mismatches) if unfold else _CAUSES
    query = (
        select(
            *causes,
            *_COUNTS,
            func.count(case((_C.is_suspect, 1))).label("suspects"),
            func.count(case((_C.final_at > now, 1))).label("links"),
        )
        .where(selection.where(Scanned(_C.closed_at)))
        .group_by(*causes)
    )
    rows: Sequence[Any] = connection.execute(query).all()
    return rows


def _read_steps(connection: Connection, selection: Selection) -> Mapping[Step, int]:
    found = connection.execute(select(*_COUNTS).where(selection.where(Scanned(_C.closed_at)))).one()
    return dict(zip(_STEPS, found, strict=True))


def _lost(row: Any) -> Iterable[tuple[Step, Reason | Ending, int]]:
    """Yield how many surveys of a group made each step and not the next one, and why."""
    for step, following in pairwise(_STEPS):
        count = getattr(row, step) - getattr(row, following)
        if not count:
            continue
        if step is Step.DELIVERED and row.state == Stage.DELIVERED:
            links = {Ending.LINK_WORKS: row.links, Ending.LINK_EXPIRED: count - row.links}
            yield from ((step, each, number) for each, number in links.items() if number)
        else:
            yield step, _cause(row, step), count


_WITHOUT_REASON = {Stage.CANCELLED: Ending.CANCELLED, Stage.FAILED: Ending.FAILED, Stage.SKIPPED: Ending.CANCELLED}
_OPEN_AFTER = {
    Step.CLOSED: Ending.UNDECIDED,
    Step.ASKED: Ending.ON_ITS_WAY,
    Step.DELIVERED: Ending.LINK_WORKS,
    Step.ANSWERED: Ending.IN_HAND,
}


def _cause(row: Any, step: Step) -> Reason | Ending:
    if row.state in _WITHOUT_REASON:
        # A newer version's reason is none of ours yet.
        return Reason(row.reason) if row.reason in _REASONS else _WITHOUT_REASON[row.state]
    return _OPEN_AFTER[step]


_REASONS = frozenset(Reason)


def _count_mismatches(rows: Iterable[Any]) -> list[Mismatch]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for survey, reason, rule in row.mismatches or ():
            counts[(survey, reason, rule)] += row.closed - row.asked
    return [Mismatch(*key, count) for key, count in sorted((+counts).items(), key=lambda each: (each[0][0], -each[1]))]
