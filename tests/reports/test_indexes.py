"""On SQLite every query of a report reads a covering index, and counting all surveys needs no sorting."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, event

from service.reports.answers import Kind, Mood, read_answers
from service.reports.funnel import read_funnel
from service.reports.results import read_results
from service.reports.selection import Period, Selection
from tests.reports.conftest import FilledArchive
from tests.reports.random_rows import NOW
from tests.reports.rows import plausible_rows, row_with

_DAY = timedelta(days=1)
SELECTION = Selection(Period(NOW - 30 * _DAY, NOW), Period(NOW - 60 * _DAY, NOW - 30 * _DAY))
NARROWED = replace(SELECTION, queue="q-1", agent="-")


@contextmanager
def plans(connection: Connection) -> Iterator[list[str]]:
    """Collect how SQLite runs each query."""
    found: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        if statement == "BEGIN":
            return
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        found.append(" / ".join(row[3] for row in cursor.fetchall()))

    event.listen(connection, "before_cursor_execute", explain)
    yield found
    event.remove(connection, "before_cursor_execute", explain)


@pytest.fixture
def sqlite(tmp_path: Path) -> FilledArchive:
    archive = FilledArchive(f"sqlite:///{tmp_path}/archive.db")
    archive.fill([*plausible_rows(500, NOW - 60 * _DAY, NOW)])
    return archive


@pytest.mark.parametrize("unfold", [False, True])
def test_funnel_reads_indexes_alone_and_sorts_no_survey(sqlite: FilledArchive, unfold: bool) -> None:  # noqa: FBT001
    with sqlite.engine.connect() as connection, plans(connection) as found:
        read_funnel(connection, SELECTION, NOW, unfold=unfold)
    assert len(found) == 4
    assert all("USING COVERING INDEX" in plan for plan in found), found
    # Answers are a small part of all surveys.
    assert ["TEMP B-TREE" in plan for plan in found] == [False, False, False, True], found


def test_results_read_indexes_alone_and_sort_answers_only(sqlite: FilledArchive) -> None:
    with sqlite.engine.connect() as connection, plans(connection) as found:
        read_results(connection, SELECTION, ["agent", "queue"], ZoneInfo("UTC"), NOW)
    assert len(found) == 4
    assert all("USING COVERING INDEX" in plan for plan in found), found
    sorting = [plan for plan in found if "TEMP B-TREE" in plan]
    assert len(sorting) == 2
    assert all("survey_answered" in plan for plan in sorting)


def test_filters_need_no_row_of_the_table(sqlite: FilledArchive) -> None:
    with sqlite.engine.connect() as connection, plans(connection) as found:
        read_funnel(connection, NARROWED, NOW)
        read_results(connection, NARROWED, ["channel"], ZoneInfo("UTC"), NOW)
    assert all("USING COVERING INDEX" in plan for plan in found), found


def test_answers_are_read_in_the_order_of_their_index(sqlite: FilledArchive) -> None:
    with sqlite.engine.connect() as connection, plans(connection) as found:
        read_answers(connection, NARROWED, Kind(Mood.LOW, has_comment=True))
    assert ["survey_answered" in plan and "TEMP B-TREE" not in plan for plan in found] == [True, True]


def test_rule_of_any_length_is_kept(archive: FilledArchive) -> None:
    """PostgreSQL refuses index entries over 2.7 kB."""
    rule = f"without_tags = {[f'tag-{number}' for number in range(2_000)]}"
    why = {"state": "skipped", "reason": "tag_excluded", "rule": rule, "mismatches": [["default", "x", rule]]}
    archive.fill([row_with(survey_id="1", survey="default", closed_at=NOW - _DAY, queue_id="q-1", **why)])
    with archive.engine.connect() as connection:
        funnel = read_funnel(connection, SELECTION, NOW, unfold=True)
    assert [*funnel.causes[0].rules] == [("default", rule)]
