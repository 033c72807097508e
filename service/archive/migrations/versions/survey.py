"""Migration 1: the tables `survey` and `stamp`."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, SmallInteger, String, Text, false, text

from service.archive.schema import MISMATCHES, Moment

revision = "1"
down_revision = None

_TEXTS = ("brand", "channel", "direction", "queue_id", "queue_name", "agent_id", "language", "contact_point")
_TIMES = ("decided_at", "asked_at", "delivered_at", "final_at", "reminded_at", "answered_at", "submitted_at")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "survey",
        Column("survey_id", String, primary_key=True),
        Column("conversation_id", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("survey", String, nullable=False),
        *(Column(name, String) for name in _TEXTS),
        Column("tags", JSON(none_as_null=True)),
        Column("found_by", String),
        Column("state", String, nullable=False),
        Column("closed_at", Moment, nullable=False),
        *(Column(name, Moment) for name in _TIMES),
        Column("delivered_by", String),
        Column("is_unconfirmed", Boolean, nullable=False, server_default=false()),
        Column("seconds_to_delivery", Integer),
        Column("seconds_to_dixa", Integer),
        Column("reason", String),
        Column("rule", String),
        Column("mismatches", MISMATCHES),
        Column("failure", String),
        Column("csat", SmallInteger),
        Column("nps", SmallInteger),
        Column("thumbs", SmallInteger),
        Column("has_comment", Boolean, nullable=False, server_default=false()),
        Column("comment", Text),
        Column("comment_sha1", String),
        Column("is_suspect", Boolean, nullable=False, server_default=false()),
    )
    op.create_index("survey_conversation_id", "survey", ["conversation_id"])
    op.create_index("survey_closed_at", "survey", ["closed_at"])
    if op.get_context().dialect.name == "postgresql":
        op.create_index("survey_delivered_at", "survey", ["delivered_at"])
        op.create_index("survey_answered_at", "survey", ["answered_at"])
    else:
        _make_covering_indexes()
    op.create_table(
        "stamp",
        Column("id", Integer, primary_key=True),
        Column("archive", String, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("written_at", Moment, nullable=False),
    )


def _make_covering_indexes() -> None:
    cube = ("queue_id", "agent_id", "channel", "survey", "language")
    causes = ("state", "reason", "rule", "survey", "failure", "mismatches")
    steps = ("closed_at", "asked_at", "delivered_at", "answered_at", "submitted_at", "is_suspect", "final_at")
    op.create_index("survey_funnel", "survey", [*causes, *steps, "channel", "queue_id", "agent_id", "language"])
    times = ("delivered_at", "answered_at", "is_suspect", "final_at", "seconds_to_delivery")
    delivered = text("delivered_at IS NOT NULL")
    op.create_index("survey_delivered", "survey", [*cube, *times], sqlite_where=delivered)
    took = ["seconds_to_delivery", "delivered_at", *cube]
    op.create_index("survey_seconds_to_delivery", "survey", took, sqlite_where=delivered)
    scores = ("csat", "nps", "thumbs", "is_suspect", "has_comment", "seconds_to_dixa")
    answered = text("answered_at IS NOT NULL")
    op.create_index("survey_answered", "survey", ["answered_at", "survey_id", *cube, *scores], sqlite_where=answered)
