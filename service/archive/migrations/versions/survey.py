"""Migration 1: the tables `survey` and `stamp`."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, SmallInteger, String, Text, false

from service.archive.schema import Moment

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
        Column("mismatches", JSON(none_as_null=True)),
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
    op.create_index("survey_delivered_at", "survey", ["delivered_at"])
    op.create_index("survey_answered_at", "survey", ["answered_at"])
    op.create_table(
        "stamp",
        Column("id", Integer, primary_key=True),
        Column("archive", String, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("written_at", Moment, nullable=False),
    )
