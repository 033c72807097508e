"""Writes the archive. Every method raises ArchiveUnavailable when the database can't be used.

Rows are whole states, not events: their order and their repetition don't matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, insert, inspect, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from config.failures import describe_failure
from service.archive.engine import ArchiveUnavailable, explaining, open_engine
from service.archive.schema import REVISION, STAMP, SURVEY
from service.surveys.retention import ArchiveRetention

_LOCK: Final = 0x4146_5445
"""The advisory lock of PostgreSQL under which one process at a time migrates."""


class Archive:
    """The archive of one installation, as the workers and the commands see it."""

    def __init__(self, engine: Engine, retention: ArchiveRetention) -> None:
        self._engine = engine
        self.retention = retention
        self._upsert = _upsert(engine.dialect.name)

    def prepare(self) -> str:
        """Make or migrate the tables. Return the id of this archive."""
        _make_folder(self._engine)
        with self._begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            if _revision(connection) != REVISION:
                # Not imported otherwise: it is large, and of no use to a process that runs for weeks.
                from service.archive.migrate import migrate  # noqa: PLC0415

                migrate(connection)
            found: str | None = connection.execute(select(STAMP.c.archive)).scalar()
            if found is None:
                found = uuid4().hex
                stamp = {"id": 1, "archive": found, "version": 0, "written_at": datetime.now(UTC)}
                connection.execute(insert(STAMP).values(stamp))
            return found

    def write(self, rows: Sequence[Mapping[str, Any]], version: int) -> None:
        """Write rows of this version, in one transaction. A row of a later version stays as it is."""
        with self._begin() as connection:
            if rows:
                connection.execute(self._upsert, rows)
            stamp = update(STAMP).where(STAMP.c.version < version)
            connection.execute(stamp.values(version=version, written_at=datetime.now(UTC)))

    def prune(self, moment: datetime) -> int:
        """Delete what was kept long enough: rows, agents and comments. Return the number of rows deleted."""
        retention, columns = self.retention, SURVEY.c
        with self._begin() as connection:
            gone = connection.execute(delete(SURVEY).where(columns.closed_at < moment - retention.rows)).rowcount
            old = (columns.agent_id.is_not(None), columns.closed_at < moment - retention.agents)
            connection.execute(update(SURVEY).where(*old).values(agent_id=None))
            said: list[ColumnElement[bool]] = [columns.comment_sha1.is_not(None)]
            if retention.comments:
                said.append(columns.answered_at < moment - retention.comments)
            connection.execute(update(SURVEY).where(*said).values(comment=None, comment_sha1=None))
            return gone

    def forget_comments(self, conversation_id: int) -> int:
        """Delete the comments of a conversation. Return the number of rows that had one."""
        had = (SURVEY.c.conversation_id == conversation_id, SURVEY.c.comment_sha1.is_not(None))
        with self._begin() as connection:
            return connection.execute(update(SURVEY).where(*had).values(comment=None, comment_sha1=None)).rowcount

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with explaining(), self._engine.begin() as connection:
            yield connection


def open_archive(url: str, retention: ArchiveRetention) -> Archive:
    """Open an archive to write to. Connects at the first use."""
    return Archive(open_engine(url, writes=True), retention)


def _make_folder(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return
    try:
        Path(str(engine.url.database).removeprefix("file:")).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveUnavailable(describe_failure(error)) from None


def _revision(connection: Connection) -> str | None:
    """Return the last migration made, as Alembic notes it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upsert(dialect: str) -> Any:
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement: Any = make(SURVEY)
    new = statement.excluded
    written = {column.name: new[column.name] for column in SURVEY.columns if not column.primary_key}
    # The record forgets a comment once Dixa has it. The same hash means the same comment.
    written["comment"] = case(
        (new.comment.is_not(None), new.comment), (new.comment_sha1 == SURVEY.c.comment_sha1, SURVEY.c.comment)
    )
    return statement.on_conflict_do_update(
        index_elements=[SURVEY.c.survey_id], set_=written, where=new.version >= SURVEY.c.version
    )
