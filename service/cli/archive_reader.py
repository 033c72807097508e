"""Opens the archive for the commands that read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from config.settings import Settings


@contextmanager
def reading_archive(settings: Settings) -> Iterator[Any]:
    """Yield the engine of the archive. Ends the command with a clear line if there is none, or it can't be read."""
    # SQLAlchemy is large, and few commands need it.
    from service.archive.engine import open_engine  # noqa: PLC0415
    from service.archive.store import ArchiveUnavailable  # noqa: PLC0415

    if settings.archive_url is None:
        raise click.ClickException("There is no archive: ARCHIVE_URL is off, or isn't set while SPOOL_DIR is off.")
    try:
        yield open_engine(settings.archive_url)
    except ArchiveUnavailable as error:
        raise click.ClickException(f"The archive can't be read: {error}. The first worker makes it.") from None
