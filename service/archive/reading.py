"""Opens connections that read the archive."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from service.archive.engine import explaining


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection. Raises ArchiveUnavailable."""
    with explaining(), engine.connect() as connection:
        yield connection
