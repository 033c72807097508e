"""Opens connections that read the archive."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from config.failures import describe_failure
from service.archive.store import ArchiveUnavailable


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection. Raises ArchiveUnavailable."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        # Its text has the values of a row.
        cause = getattr(error, "orig", None) or error
        raise ArchiveUnavailable(getattr(cause, "sqlite_errorname", "") or describe_failure(cause)) from None
