"""Reads the archive row by row, for exports and for `/api/v1`. docs/exports.md has the columns.

Rows come in the order of a time that hardly changes, the close or the answer, and of the survey id. So a cursor, the
time and id of the last row, stays valid while rows are added, changed and deleted.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import ValidationError
from sqlalchemy import Engine, Select, select, tuple_

from config.parsers import duration
from service.archive.reading import reading
from service.archive.schema import SURVEY
from service.records.codec import from_ms, to_ms
from service.records.names import NamesInDixa

_ROWS_AT_ONCE: Final = 1000
_SURVEY_ID: Final = re.compile(r"[0-9]{1,19}(-[0-9]{1,9})?")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Extract:
    """Rows to read: their columns, and the time that orders them. Rows without this time are left out."""

    name: str
    columns: Sequence[str]
    ordered_by: str


_INTERNAL: Final = {"version", "comment_sha1"}
_OF_NO_ANSWER: Final = {
    "direction", "found_by", "state", "decided_at", "asked_at", "final_at", "reminded_at", "is_unconfirmed",
    "seconds_to_delivery", "reason", "rule", "mismatches", "failure",
}  # fmt: skip

AGENT_NAME: Final = "agent_name"
"""The one column that isn't of the archive: it follows the agent's id."""


def _with_agent_name(columns: Sequence[str]) -> list[str]:
    return [each for name in columns for each in ([name, AGENT_NAME] if name == "agent_id" else [name])]


SURVEYS: Final = Extract(
    "surveys", _with_agent_name([each.name for each in SURVEY.columns if each.name not in _INTERNAL]), "closed_at"
)
ANSWERS: Final = Extract("answers", [each for each in SURVEYS.columns if each not in _OF_NO_ANSWER], "answered_at")
EXTRACTS: Final = {each.name: each for each in (SURVEYS, ANSWERS)}


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: at a time, or after a cursor."""

    since: datetime | None = None
    cursor: str | None = None


class CursorError(ValueError):
    """A text is no cursor of ours."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next ones. None after the last row of the moment."""

    rows: Sequence[Row]
    next_cursor: str | None


def stream(engine: Engine, extract: Extract, since: datetime | None, names: NamesInDixa) -> Iterator[Row]:
    """Yield all rows since a time, with few in memory. Raises ArchiveUnavailable."""
    with reading(engine) as connection:
        query = _query(extract, since).execution_options(yield_per=_ROWS_AT_ONCE)
        yield from (_named(each, names) for each in connection.execute(query).mappings())


def read_page(engine: Engine, extract: Extract, start: Start, limit: int, names: NamesInDixa) -> Page:
    """Return the rows after a cursor, or the first ones since a time. Raises CursorError and ArchiveUnavailable."""
    query = _query(extract, start.since)
    if start.cursor:
        query = query.where(_order(extract) > _load_cursor(extract, start.cursor))
    with reading(engine) as connection:
        rows = [_named(each, names) for each in connection.execute(query.limit(limit + 1)).mappings()]
    is_more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, _dump_cursor(extract, rows[-1]) if is_more else None)


def read_since(text: str, moment: datetime) -> datetime:
    """Parse a date, a time in ISO 8601 (UTC unless it names another zone), or how long before `moment`, such as 30d.

    Raises ValueError with the way out.
    """
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    with suppress(ValueError, ValidationError):
        return moment - duration(text)
    raise ValueError("is neither a time nor a duration. Write 2026-11-01, 2026-11-01T08:00:00Z or 30d.")


def _named(row: Mapping[Any, Any], names: NamesInDixa) -> Row:
    """Add the names that a close doesn't have."""
    queue_name = row["queue_name"] or names.queues.get(row["queue_id"] or "")
    return {**row, "queue_name": queue_name, AGENT_NAME: names.agents.get(row["agent_id"] or "")}


def _query(extract: Extract, since: datetime | None) -> Select[Any]:
    order = SURVEY.c[extract.ordered_by]
    query = select(*(SURVEY.c[name] for name in extract.columns if name != AGENT_NAME)).order_by(
        order, SURVEY.c.survey_id
    )
    return query.where(order >= since) if since else query.where(order.is_not(None))


def _order(extract: Extract) -> Any:
    return tuple_(SURVEY.c[extract.ordered_by], SURVEY.c.survey_id)


def _dump_cursor(extract: Extract, row: Row) -> str:
    cursor = [extract.name, to_ms(row[extract.ordered_by]), row["survey_id"]]
    return urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")


def _load_cursor(extract: Extract, text: str) -> tuple[datetime, str]:
    try:
        name, at_ms, survey_id = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        at = from_ms(at_ms)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise CursorError from None
    if name != extract.name or not isinstance(survey_id, str) or not _SURVEY_ID.fullmatch(survey_id):
        raise CursorError
    return at, survey_id
