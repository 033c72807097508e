"""What `/metrics` shows of the archive: surveys by state, failures by journey, and two distributions of times."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, case, func, select

from service.archive.reading import reading
from service.archive.schema import SURVEY, Stage
from service.surveys.states import Journey

DELIVERY_BUCKETS: Final = (60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200)
"""Upper limits in seconds. A survey's delay, up to days, is a part of its time."""
DIXA_BUCKETS: Final = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400)
"""The same. A customer may change an answer for `editable_for`, which is a part of it."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The number of values up to each limit, of all values, and their sum."""

    limits: Sequence[int]
    counts: Sequence[int]
    count: int
    sum: int


@dataclass(frozen=True, slots=True)
class ArchiveMeasured:
    """The measured values of an archive. `states` counts surveys by state and reason, "" without one."""

    states: Mapping[tuple[str, str], int]
    failures: Mapping[str, int]
    to_delivery: Distribution
    to_dixa: Distribution


def measure_archive(engine: Engine) -> ArchiveMeasured:
    """Measure the archive in three queries, each of which SQLite answers from an index. Raises ArchiveUnavailable."""
    columns = SURVEY.c
    states = Counter({(str(each), ""): 0 for each in Stage})
    failures = Counter({str(each): 0 for each in Journey})
    groups = (columns.state, columns.reason, columns.failure)
    with reading(engine) as connection:
        for state, reason, failure, count in connection.execute(select(*groups, func.count()).group_by(*groups)):
            states[state, reason or ""] += count
            if failure:
                failures[failure] += count
        to_delivery = _distribution(connection, columns.seconds_to_delivery, columns.delivered_at, DELIVERY_BUCKETS)
        to_dixa = _distribution(connection, columns.seconds_to_dixa, columns.answered_at, DIXA_BUCKETS)
    return ArchiveMeasured(states, failures, to_delivery, to_dixa)


def _distribution(connection: Any, seconds: Any, happened_at: Any, limits: Sequence[int]) -> Distribution:
    """Return the distribution of a time. `happened_at` is the column that the index is limited to."""
    parts = [func.count(case((seconds <= limit, 1))) for limit in limits]
    query = select(func.count(seconds), func.coalesce(func.sum(seconds), 0), *parts).where(happened_at.is_not(None))
    count, total, *counts = connection.execute(query).one()
    return Distribution(limits, counts, count, int(total))
