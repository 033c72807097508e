"""The tables of the archive: `survey` has one row for each survey, and `stamp` tells which archive this is.

docs/archive.md describes each column. There is no requester and no address, and a comment only with ARCHIVE_COMMENTS.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from service.records.codec import from_ms, to_ms


class Moment(TypeDecorator[datetime]):
    """An aware time, in UTC. PostgreSQL has a type for it, and in SQLite it is a number of milliseconds."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:  # noqa: D102
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: D102
        if value is None or dialect.name == "postgresql":
            return value
        return to_ms(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: D102, ARG002
        if value is None or isinstance(value, datetime):
            return value.astimezone(UTC) if value else None
        return from_ms(value)


class Stage(StrEnum):
    """How far a survey has come: the values of the column `state`."""

    WAITING = "waiting"
    """Not decided yet."""
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    ASKED = "asked"
    """Decided, and the customer has no link yet."""
    DELIVERED = "delivered"
    ANSWERED = "answered"
    SUBMITTED = "submitted"
    """The result is in Dixa."""
    FAILED = "failed"


def _make_covering_indexes() -> Iterator[Index]:
    """Yield an index for each report, which SQLite then reads instead of the table (docs/reports.md).

    It counts by the first columns without sorting. PostgreSQL counts by hashing, and refuses an entry over 2.7 kB: a
    rule can be longer.
    """
    causes = ("state", "reason", "rule", "survey", "failure", "mismatches")
    steps = ("closed_at", "asked_at", "delivered_at", "answered_at", "submitted_at", "is_suspect", "final_at")
    yield Index("survey_funnel", *causes, *steps, "channel", "queue_id", "agent_id", "language").ddl_if("sqlite")
    cube = ("queue_id", "agent_id", "channel", "survey", "language")
    times = ("delivered_at", "answered_at", "is_suspect", "final_at", "seconds_to_delivery")
    delivered = text("delivered_at IS NOT NULL")
    yield Index("survey_delivered", *cube, *times, sqlite_where=delivered).ddl_if("sqlite")
    took = ("seconds_to_delivery", "delivered_at")
    yield Index("survey_seconds_to_delivery", *took, *cube, sqlite_where=delivered).ddl_if("sqlite")
    scores = ("csat", "nps", "thumbs", "is_suspect", "has_comment", "seconds_to_dixa")
    answered = text("answered_at IS NOT NULL")
    yield Index("survey_answered", "answered_at", "survey_id", *cube, *scores, sqlite_where=answered).ddl_if("sqlite")


MISMATCHES: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""The type of a list that reports count by. PostgreSQL's plain JSON can't be compared."""

METADATA = MetaData()

REVISION = "1"
"""The newest migration."""

SURVEY = Table(
    "survey",
    METADATA,
    Column("survey_id", String, primary_key=True),
    Column("conversation_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    # The close. `survey` is the one asked, or the one that came nearest to it; "" if no survey was possible.
    Column("survey", String, nullable=False),
    Column("brand", String),
    Column("channel", String),
    Column("direction", String),
    Column("queue_id", String),
    Column("queue_name", String),
    Column("agent_id", String),
    Column("language", String),
    Column("contact_point", String),
    Column("tags", JSON(none_as_null=True)),
    Column("found_by", String),
    # What happened. Each time is null until it has happened.
    Column("state", String, nullable=False),
    Column("closed_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("asked_at", Moment),
    Column("delivered_at", Moment),
    Column("final_at", Moment),
    Column("reminded_at", Moment),
    Column("answered_at", Moment),
    Column("submitted_at", Moment),
    Column("delivered_by", String),
    Column("is_unconfirmed", Boolean, nullable=False, server_default=false()),
    Column("seconds_to_delivery", Integer),
    Column("seconds_to_dixa", Integer),
    # Why it ended without an answer, or failed. `failure` is the journey that failed.
    Column("reason", String),
    Column("rule", String),
    Column("mismatches", MISMATCHES),
    Column("failure", String),
    # The answer.
    Column("csat", SmallInteger),
    Column("nps", SmallInteger),
    Column("thumbs", SmallInteger),
    Column("has_comment", Boolean, nullable=False, server_default=false()),
    Column("comment", Text),
    Column("comment_sha1", String),
    Column("is_suspect", Boolean, nullable=False, server_default=false()),
    Index("survey_conversation_id", "conversation_id"),
    Index("survey_closed_at", "closed_at"),
    Index("survey_delivered_at", "delivered_at").ddl_if(dialect="postgresql"),
    Index("survey_answered_at", "answered_at").ddl_if(dialect="postgresql"),
    *_make_covering_indexes(),
)

STAMP = Table(
    "stamp",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("archive", String, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("written_at", Moment, nullable=False),
)
