"""Compares the archive with the records, row by row."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from service.archive.engine import open_engine
from service.archive.row import make_row
from service.archive.schema import SURVEY
from service.records.due_archive import DueArchive
from service.records.records import Records
from service.surveys.retention import ArchiveRetention

Rows = dict[str, dict[str, Any]]


def read_rows(url: str) -> Rows:
    """Return the rows of an archive by survey id, without the version."""
    with open_engine(url).connect() as connection:
        found = [dict(each) for each in connection.execute(select(SURVEY)).mappings()]
    return {each["survey_id"]: each | {"version": 0} for each in found}


def expected_rows(records: Records, retention: ArchiveRetention) -> Rows:
    """Return the rows that the records make now, by survey id."""
    ids = [each.survey_id for each in DueArchive.beside(records).list_all()]
    moment = datetime.now(UTC)
    return {each.survey_id: make_row(each, 0, retention, moment) for each in records.load_all(ids)}


def find_stale(records: Records, url: str, retention: ArchiveRetention) -> list[str]:
    """Return the ids of surveys whose row is missing, or is not that of the record."""
    rows, expected = read_rows(url), expected_rows(records, retention)
    return sorted(each for each in {*rows, *expected} if rows.get(each) != expected.get(each))
