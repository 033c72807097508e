"""Response rates by day of delivery: which share of the delivered links a person answered, whenever that was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, case, func, select

from service.archive.schema import SURVEY
from service.reports.estimates import Estimate, estimate_share
from service.reports.selection import DIMENSIONS, Scanned, Selection

_C = SURVEY.c
_CUBE: Final = ("queue", "agent", "channel", "survey", "language")
"""All dimensions, in the order of SQLite's index `survey_delivered`. Counting by all of them needs no sorting."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Response rates of both periods, and of each group (delivered, answered). `last_link` expires at that time."""

    now: Estimate | None
    before: Estimate | None
    groups: Mapping[tuple[str | None, ...], tuple[int, int]]
    last_link: datetime | None


def read_deliveries(connection: Connection, selection: Selection, by: Sequence[str]) -> Deliveries:
    """Read the response rates of links delivered in both periods, and in this one those of each group."""
    cube = [DIMENSIONS[name] for name in _CUBE]
    is_now = Scanned(_C.delivered_at) >= selection.period.since
    is_before = Scanned(_C.delivered_at) < selection.before.until
    answered = case((~_C.is_suspect, _C.answered_at))
    query = (
        select(
            *cube,
            func.count(case((is_now, 1))),
            func.count(case((is_now, answered))),
            func.count(case((is_before, 1))),
            func.count(case((is_before, answered))),
            func.max(case((is_now, _C.final_at))),
        )
        .where(selection.with_before.where(Scanned(_C.delivered_at)), _C.delivered_at.is_not(None))
        .group_by(*cube)
    )
    places = [_CUBE.index(name) for name in by]
    groups: dict[tuple[str | None, ...], tuple[int, int]] = {}
    now, before, last_link = (0, 0), (0, 0), None
    for *dimensions, delivered, responded, delivered_before, responded_before, expires in connection.execute(query):
        now = (now[0] + delivered, now[1] + responded)
        before = (before[0] + delivered_before, before[1] + responded_before)
        last_link = max(filter(None, (last_link, expires)), default=None)
        if delivered:
            keys = tuple(dimensions[place] for place in places)
            found = groups.get(keys, (0, 0))
            groups[keys] = (found[0] + delivered, found[1] + responded)
    return Deliveries(estimate_share(now[1], now[0]), estimate_share(before[1], before[0]), groups, last_link)
