"""Rows of an archive, written as a worker does."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from service.archive.schema import SURVEY
from service.archive.store import Archive, open_archive
from service.surveys.retention import ArchiveRetention

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
RETENTION = ArchiveRetention(timedelta(days=1000), timedelta(days=300), timedelta(days=90))


def make_row(number: int = 48201, **changes: Any) -> dict[str, Any]:
    """Return the row of a delivered survey. A later number was closed later."""
    return (
        {column.name: None for column in SURVEY.columns}
        | {"survey_id": str(number), "conversation_id": number, "version": 1, "survey": "support", "state": "delivered"}
        | {"has_comment": False, "is_unconfirmed": False, "is_suspect": False}
        | {"closed_at": NOON + (number - 48201) * MINUTE}
        | changes
    )


def make_answer(number: int = 48201, **changes: Any) -> dict[str, Any]:
    answered_at = NOON + timedelta(days=1) + (number - 48201) * MINUTE
    return make_row(number, **({"state": "submitted", "answered_at": answered_at, "csat": 4} | changes))


def open_with(url: str, *rows: Mapping[str, Any]) -> Archive:
    """Make an archive with these rows."""
    archive = open_archive(url, RETENTION)
    archive.prepare()
    archive.write(rows, 1)
    return archive
