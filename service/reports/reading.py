"""Reads a report and the stamp of the archive from one snapshot of the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine, select

from service.archive.reading import reading
from service.archive.schema import STAMP

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A report, and the archive that it is from: its id, and the version of the last rows written."""

    report: T
    archive: str
    version: int


def read_report(engine: Engine, read: Callable[[Connection], T]) -> Reading[T]:
    """Read a report. Raises ArchiveUnavailable, also if no worker has made the archive yet."""
    if engine.dialect.name == "postgresql":
        # Otherwise each of its queries sees what was written meanwhile. SQLite has one snapshot for a transaction.
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with reading(engine) as connection:
        archive, version = connection.execute(select(STAMP.c.archive, STAMP.c.version)).one()
        return Reading(read(connection), archive, version)
