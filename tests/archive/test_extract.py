"""Extracts of the archive, in both kinds of database: pages that miss nothing, and files that no program misreads."""

import csv
import io
import json
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from service.archive.engine import ArchiveUnavailable, open_engine
from service.archive.extract import (
    ANSWERS,
    EXTRACTS,
    SURVEYS,
    CursorError,
    Extract,
    Start,
    read_page,
    read_since,
    stream,
)
from service.archive.formats import jsonable, write_csv, write_json_lines, write_parquet
from service.archive.schema import SURVEY
from service.records.names import NamesInDixa
from tests.archive.rows import MINUTE, NOON, make_answer, make_row, open_with
from tests.processes import ROOT

NAMES = NamesInDixa({"a1": "Ida Holm"}, {"q1": "Billing"})


def ids_of(rows: Any) -> list[str]:
    return [row["survey_id"] for row in rows]


def pages(url: str, extract: Extract, limit: int) -> list[list[str]]:
    """Follow the cursors from the first page on."""
    found, cursor = [], None
    for _ in range(100):
        page = read_page(open_engine(url), extract, Start(cursor=cursor), limit, NAMES)
        found.append(ids_of(page.rows))
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


def test_surveys_come_in_the_order_of_their_closes(archive_url: str) -> None:
    open_with(archive_url, make_row(48203), make_row(48201), make_row(48202, closed_at=NOON - MINUTE))
    engine = open_engine(archive_url)
    assert ids_of(stream(engine, SURVEYS, None, NAMES)) == ["48202", "48201", "48203"]
    assert ids_of(stream(engine, SURVEYS, NOON, NAMES)) == ["48201", "48203"]


def test_agents_and_queues_have_their_names(archive_url: str) -> None:
    rows = [
        make_row(48201, agent_id="a1", queue_id="q1"),
        make_row(48202, agent_id="a2", queue_id="q1", queue_name="As in the webhook"),
        make_row(48203),
    ]
    open_with(archive_url, *rows)
    found = [(row["agent_name"], row["queue_name"]) for row in stream(open_engine(archive_url), SURVEYS, None, NAMES)]
    assert found == [("Ida Holm", "Billing"), (None, "As in the webhook"), (None, None)]


def test_answers_are_those_with_an_answer(archive_url: str) -> None:
    open_with(archive_url, make_row(48201), make_answer(48203), make_answer(48202))
    assert ids_of(stream(open_engine(archive_url), ANSWERS, None, NAMES)) == ["48202", "48203"]
    assert ids_of(stream(open_engine(archive_url), ANSWERS, NOON + timedelta(days=1, minutes=2), NAMES)) == ["48203"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_pages_have_each_row_once(archive_url: str, limit: int) -> None:
    # Three at the same time: their ids decide.
    open_with(
        archive_url, *(make_row(number, closed_at=NOON) for number in (1, 2, 3)), make_row(48201), make_row(48202)
    )
    found = pages(archive_url, SURVEYS, limit)
    assert [each for page in found for each in page] == ["1", "2", "3", "48201", "48202"]
    assert {len(page) for page in found[:-1]} <= {limit}
    assert found[-1]


def test_a_cursor_stays_valid_while_rows_change(archive_url: str) -> None:
    archive = open_with(archive_url, *(make_row(number) for number in range(48201, 48207)))
    engine = open_engine(archive_url)
    first = read_page(engine, SURVEYS, Start(), 2, NAMES)
    archive.write([make_row(48202, version=2, state="failed"), make_row(48100), make_row(48300)], 2)
    rest = read_page(engine, SURVEYS, Start(cursor=first.next_cursor), 10, NAMES)
    assert ids_of(first.rows) == ["48201", "48202"]
    assert ids_of(rest.rows) == ["48203", "48204", "48205", "48206", "48300"]


@pytest.mark.parametrize(
    "text", ["x", "e30", "WyJzdXJ2ZXlzIl0", "ÿ", "WzEsMl0", "a" * 5000, "WyJzdXJ2ZXlzIiwgMWU5OSwgIjEiXQ"]
)
def test_other_texts_are_no_cursor(archive_url: str, text: str) -> None:
    open_with(archive_url)
    with pytest.raises(CursorError):
        read_page(open_engine(archive_url), SURVEYS, Start(cursor=text), 1, NAMES)


@pytest.mark.parametrize("survey_id", ["1\x00", "\ud800", "", "x", 1, None])
def test_a_cursor_has_the_id_of_a_survey(archive_url: str, survey_id: Any) -> None:
    open_with(archive_url)
    cursor = urlsafe_b64encode(json.dumps(["surveys", 1, survey_id]).encode()).decode()
    with pytest.raises(CursorError):
        read_page(open_engine(archive_url), SURVEYS, Start(cursor=cursor), 1, NAMES)


def test_a_cursor_is_of_one_kind_of_row(archive_url: str) -> None:
    open_with(archive_url, make_answer(48201), make_answer(48202))
    engine = open_engine(archive_url)
    cursor = read_page(engine, SURVEYS, Start(), 1, NAMES).next_cursor
    with pytest.raises(CursorError):
        read_page(engine, ANSWERS, Start(cursor=cursor), 1, NAMES)


def test_an_archive_that_is_not_there_is_unavailable(tmp_path: Any) -> None:
    with pytest.raises(ArchiveUnavailable, match="SQLITE_CANTOPEN"):
        list(stream(open_engine(f"sqlite:///{tmp_path}/none.db"), SURVEYS, None, NAMES))


def test_every_column_is_exported_but_the_internal_ones() -> None:
    assert {each.name for each in SURVEY.columns} - {*SURVEYS.columns} == {"version", "comment_sha1"}
    assert {*SURVEYS.columns} - {each.name for each in SURVEY.columns} == {"agent_name"}
    assert {*ANSWERS.columns} < {*SURVEYS.columns}
    assert len({*ANSWERS.columns}) == len(ANSWERS.columns)
    assert [*EXTRACTS] == ["surveys", "answers"]


def test_every_column_is_documented_in_its_order() -> None:
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (yes)? ?\|", page.partition("## Columns")[2], re.MULTILINE)
    documented = [(name, bool(mark)) for names, mark in rows for name in re.findall(r"`(\w+)`", names)]
    assert [name for name, _ in documented] == [*SURVEYS.columns]
    assert [name for name, is_of_answer in documented if is_of_answer] == [*ANSWERS.columns]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30:00Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00+01:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("30d", NOON - timedelta(days=30)),
    ],
)
def test_since_is_a_time_or_a_duration(text: str, expected: datetime) -> None:
    assert read_since(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-3d", "0s", "2026-13-01", "30", "9999d", "0001-01-01T00:00+23:00"])
def test_other_texts_are_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="Write 2026-11-01, 2026-11-01T08:00:00Z or 30d"):
        read_since(text, NOON)


FULL = make_answer(
    48201,
    agent_name="Ida Holm",
    tags=["vip", "=cmd"],
    contact_point="+4512345678",
    comment='=HYPERLINK("http://x")\r\n; "ü"',
    has_comment=True,
    mismatches=[["vip", "queue", "queues"]],
)
EMPTY = make_row(agent_name=None)


def read_csv(parts: Any) -> list[dict[str, str]]:
    text = b"".join(parts).decode()
    assert text.startswith("\ufeff")
    return [*csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))]


def test_csv_has_no_formula_and_keeps_the_text() -> None:
    (row,) = read_csv(write_csv(ANSWERS, [FULL]))
    assert row["comment"] == '\'=HYPERLINK("http://x")\r\n; "ü"'
    assert row["contact_point"] == "'+4512345678"
    assert row["tags"] == "vip; =cmd"
    assert (row["csat"], row["has_comment"], row["nps"]) == ("4", "true", "")
    assert row["answered_at"] == "2026-11-21T12:00:00.000Z"
    assert [*row] == [*ANSWERS.columns]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("column", ["comment", "survey", "contact_point", "tags"])
def test_no_cell_begins_like_a_formula(first: str, column: str) -> None:
    text = f"{first}1+1"
    value: Any = [text] if column == "tags" else text
    (row,) = read_csv(write_csv(ANSWERS, [FULL | {column: value}]))
    assert row[column] == f"'{text}"


def test_csv_without_rows_has_its_header_and_a_later_page_has_none() -> None:
    assert read_csv(write_csv(ANSWERS, [])) == []
    parts = b"".join((*write_csv(ANSWERS, [FULL]), *write_csv(ANSWERS, [FULL], with_header=False)))
    assert len(read_csv([parts])) == 2


def test_json_is_one_object_a_line() -> None:
    lines = b"".join(write_json_lines(SURVEYS, [FULL, EMPTY])).decode().splitlines()
    first, second = map(json.loads, lines)
    assert first == jsonable(SURVEYS, FULL)
    assert first["tags"] == ["vip", "=cmd"]
    assert first["closed_at"] == "2026-11-20T12:00:00.000Z"
    assert second["answered_at"] is None


def test_parquet_keeps_types(tmp_path: Any) -> None:
    path = tmp_path / "answers.parquet"
    with path.open("wb") as file:
        write_parquet(SURVEYS, [FULL, EMPTY], file)
    table = pq.read_table(path)
    first, second = table.to_pylist()
    assert table.column_names == [*SURVEYS.columns]
    assert (first["answered_at"], first["csat"], first["tags"]) == (FULL["answered_at"], 4, ["vip", "=cmd"])
    assert first["comment"] == FULL["comment"]
    assert (second["answered_at"], second["has_comment"], second["conversation_id"]) == (None, False, 48201)
    assert {str(table.schema.field(name).type) for name in ("closed_at", "csat", "is_suspect")} == {
        "timestamp[ms, tz=UTC]", "int64", "bool",
    }  # fmt: skip
