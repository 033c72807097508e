"""The archive in both kinds of database: migrations, rows whose order doesn't matter, and what is kept for how long."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, select

from service.archive.engine import ArchiveUnavailable, open_engine
from service.archive.migrate import MIGRATIONS
from service.archive.schema import METADATA, REVISION, STAMP, SURVEY
from service.archive.store import Archive, open_archive
from service.surveys.retention import ArchiveRetention

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RETENTION = ArchiveRetention(1000 * DAY, 300 * DAY, 90 * DAY)
SHA = "5d41402abc4b2a76b9719d911017c592"


@pytest.fixture
def archive(archive_url: str) -> Archive:
    made = open_archive(archive_url, RETENTION)
    made.prepare()
    return made


@pytest.fixture
def reading(archive_url: str, archive: Archive) -> Engine:
    return open_engine(archive_url)


@pytest.fixture
def read(reading: Engine) -> Callable[[str], dict[str, Any]]:
    def one(survey_id: str) -> dict[str, Any]:
        with reading.connect() as connection:
            return dict(connection.execute(select(SURVEY).where(SURVEY.c.survey_id == survey_id)).mappings().one())

    return one


def row(version: int = 1, survey_id: str = "48201", **changes: Any) -> dict[str, Any]:
    columns: dict[str, Any] = {column.name: None for column in SURVEY.columns}
    given = {"survey_id": survey_id, "conversation_id": 48201, "version": version, "survey": "support"}
    flags = {"has_comment": False, "is_unconfirmed": False, "is_suspect": False}
    return columns | given | flags | {"state": "delivered", "closed_at": NOW} | changes


def test_migrations_make_the_tables_of_the_schema(reading: Engine) -> None:
    def is_compared(thing: Any, _name: object, kind: str, _is_reflected: object, _other: object) -> bool:
        # Alembic doesn't know indexes of one dialect only.
        dialect = thing._ddl_if and thing._ddl_if.dialect if kind == "index" else None
        return dialect in (None, reading.dialect.name)

    with reading.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_compared})
        assert compare_metadata(context, METADATA) == []


def test_revision_of_the_schema_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION


def test_workers_that_start_together_make_one_archive(archive_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: open_archive(archive_url, RETENTION).prepare(), range(4))]
    assert len(set(found)) == 1


def test_row_comes_back_as_it_was_written(archive: Archive, read: Callable[[str], dict[str, Any]]) -> None:
    written = row(tags=["vip"], mismatches=[["vip", "queue", "queues"]], csat=5, answered_at=NOW, has_comment=True)
    archive.write([written], 1)
    assert read("48201") == written


@pytest.mark.parametrize("versions", [(1, 2), (2, 1), (2, 2)])
def test_row_of_the_later_version_stays(
    archive: Archive, read: Callable[[str], dict[str, Any]], versions: tuple[int, ...]
) -> None:
    for version in versions:
        archive.write([row(version, csat=version)], version)
    assert read("48201")["csat"] == 2


def test_stamp_has_the_latest_version(archive: Archive, reading: Engine) -> None:
    for version in (3, 7, 5):
        archive.write([row(version)], version)
    with reading.connect() as connection:
        assert connection.execute(select(STAMP.c.version)).scalars().all() == [7]


def test_comment_stays_when_the_record_has_forgotten_it(
    archive: Archive, read: Callable[[str], dict[str, Any]]
) -> None:
    archive.write([row(1, comment="Too slow", comment_sha1=SHA, has_comment=True)], 1)
    archive.write([row(2, comment_sha1=SHA, has_comment=True)], 2)
    assert read("48201")["comment"] == "Too slow"


@pytest.mark.parametrize("later", [None, SHA[::-1]], ids=["removed", "another"])
def test_comment_goes_when_the_customer_has_removed_or_changed_it(
    archive: Archive, read: Callable[[str], dict[str, Any]], later: str | None
) -> None:
    archive.write([row(1, comment="Too slow", comment_sha1=SHA, has_comment=True)], 1)
    archive.write([row(2, comment_sha1=later, has_comment=bool(later))], 2)
    assert read("48201")["comment"] is None


def test_rows_agents_and_comments_go_when_their_time_is_over(
    archive: Archive, read: Callable[[str], dict[str, Any]], reading: Engine
) -> None:
    ages = {"gone": 1001 * DAY, "old": 301 * DAY, "quiet": 91 * DAY, "new": DAY}
    said: dict[str, Any] = {"agent_id": "a-1", "comment": "Too slow", "comment_sha1": SHA}
    archive.write([row(1, each, closed_at=NOW - age, answered_at=NOW - age, **said) for each, age in ages.items()], 1)
    assert archive.prune(NOW) == 1
    kept = {each: (read(each)["agent_id"], read(each)["comment"]) for each in ("old", "quiet", "new")}
    assert kept == {"old": (None, None), "quiet": ("a-1", None), "new": ("a-1", "Too slow")}
    with reading.connect() as connection:
        assert len(connection.execute(select(SURVEY.c.survey_id)).all()) == 3


def test_without_a_time_for_comments_none_stays(archive_url: str, read: Callable[[str], dict[str, Any]]) -> None:
    archive = open_archive(archive_url, ArchiveRetention(1000 * DAY, 300 * DAY))
    archive.write([row(comment="Too slow", comment_sha1=SHA, answered_at=NOW)], 1)
    archive.prune(NOW)
    assert read("48201")["comment"] is None


def test_comments_of_a_conversation_are_deleted(archive: Archive, read: Callable[[str], dict[str, Any]]) -> None:
    said: dict[str, Any] = {"comment": "Too slow", "comment_sha1": SHA}
    archive.write([row(**said), row(survey_id="7", conversation_id=7, **said)], 1)
    assert archive.forget_comments(48201) == 1
    assert (read("48201")["comment"], read("7")["comment"]) == (None, "Too slow")


def test_engine_of_a_reader_can_not_write(archive: Archive, archive_url: str) -> None:
    with pytest.raises(ArchiveUnavailable, match=r"READONLY|ReadOnly"):
        Archive(open_engine(archive_url), RETENTION).write([row()], 1)


def test_reader_makes_no_file(tmp_path: Any) -> None:
    with pytest.raises(ArchiveUnavailable):
        Archive(open_engine(f"sqlite:///{tmp_path}/none.db"), RETENTION).prune(NOW)
    assert not (tmp_path / "none.db").exists()


def test_failure_shows_no_value_of_a_row(archive: Archive) -> None:
    with pytest.raises(ArchiveUnavailable) as caught:
        archive.write([row(state=None, comment="Too slow")], 1)
    assert "Too slow" not in str(caught.value)
    assert caught.value.__suppress_context__
