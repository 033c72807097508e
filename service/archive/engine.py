"""Opens the database of the archive: a file of SQLite, or PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from sqlite3 import OperationalError
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from config.failures import describe_failure

_BUSY_SECONDS = 10
_CONNECT_SECONDS = 5
_STATEMENT_MS = 20_000
"""How long a query of PostgreSQL may take. A report that takes longer helps nobody."""


class ArchiveUnavailable(Exception):
    """The database can't be reached, or refuses. The text names the kind of error, and no value."""


@contextmanager
def explaining() -> Iterator[None]:
    """Raise ArchiveUnavailable for an error of the database: its own text has the values of a row."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise ArchiveUnavailable(getattr(cause, "sqlite_errorname", "") or describe_failure(cause)) from None


def open_engine(url: str, *, writes: bool = False) -> Engine:
    """Return an engine, which connects at the first query. Without `writes`, it can only read.

    It has no pool, so that any thread may use it.
    """
    parsed = make_url(url)
    return (
        _open_sqlite(parsed, writes=writes) if parsed.drivername == "sqlite" else _open_postgres(parsed, writes=writes)
    )


def _open_sqlite(url: URL, *, writes: bool) -> Engine:
    # Only the worker makes the file: an empty one of the web would look like an archive.
    mode = "rwc" if writes else "rw"
    located = url.set(database=f"file:{url.database}", query={"mode": mode, "uri": "true"})
    engine = create_engine(located, poolclass=NullPool, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # Transactions begin as written below, and not as the driver thinks.
        connection.isolation_level = None
        if writes:
            # The file remembers it. Of several processes that make the file, one sets it, and no timeout holds here.
            with suppress(OperationalError):
                connection.execute("PRAGMA journal_mode=WAL")
        else:
            connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # Two writers that begin to read first would both fail at their first write.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgres(url: URL, *, writes: bool) -> Engine:
    options = f"-c statement_timeout={_STATEMENT_MS} -c default_transaction_read_only={'off' if writes else 'on'}"
    arguments: Mapping[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "options": options}
    return create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args=dict(arguments))
