"""How long something took: the median and the 90th percentile, from a count of each number of seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

from sqlalchemy import Column, ColumnElement, Connection, func, select

from service.reports.selection import Scanned, Selection


@dataclass(frozen=True, slots=True)
class Durations:
    """Percentiles in seconds, by nearest rank: values that occurred. None of nothing."""

    median: int | None
    p90: int | None
    size: int

    @classmethod
    def of(cls, counts: Iterable[tuple[int, int]]) -> Self:
        """Return the percentiles of pairs of seconds and count."""
        found = sorted(counts)
        size = sum(count for _, count in found)
        return cls(_percentile(found, size, 50), _percentile(found, size, 90), size)

    @classmethod
    def read(
        cls,
        connection: Connection,
        selection: Selection,
        moment: Column[Any],
        seconds: Column[Any],
        *conditions: ColumnElement[bool],
    ) -> Self:
        """Read the seconds of the surveys with this moment in the period."""
        query = (
            select(seconds, func.count())
            .where(selection.where(Scanned(moment)), moment.is_not(None), seconds.is_not(None), *conditions)
            .group_by(seconds)
        )
        return cls.of((value, count) for value, count in connection.execute(query))


def _percentile(counts: list[tuple[int, int]], size: int, percent: int) -> int | None:
    rank, passed = ceil(size * percent / 100), 0
    for value, count in counts:
        passed += count
        if passed >= rank:
            return value
    return None
