"""Opens the archive for the commands that read it, and the names that belong to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from config.settings import Settings
from service.cli.context import open_records
from service.cli.output import say
from service.records.names import Names, NamesInDixa
from service.records.redis import RecordsUnavailable


def archive_url_of(settings: Settings) -> str:
    """Return the URL of the archive. Ends the command if there is none."""
    if settings.archive_url is None:
        raise click.ClickException("There is no archive: ARCHIVE_URL is off, or isn't set while SPOOL_DIR is off.")
    return settings.archive_url


@contextmanager
def reading_archive(settings: Settings) -> Iterator[Any]:
    """Yield the engine of the archive. Ends the command with a clear line if there is none, or it can't be read."""
    # SQLAlchemy is large, and few commands need it.
    from service.archive.engine import ArchiveUnavailable, open_engine  # noqa: PLC0415

    url = archive_url_of(settings)
    try:
        yield open_engine(url)
    except ArchiveUnavailable as error:
        raise click.ClickException(f"The archive can't be read: {error}. The first worker makes it.") from None


def read_names(settings: Settings) -> NamesInDixa:
    """Return the names of agents and queues. Without Redis there are none."""
    try:
        return Names.beside(open_records(settings)).read()
    except RecordsUnavailable as error:
        say(f"Without the names of agents: Redis is unavailable: {error}", fg="yellow", err=True)
        return NamesInDixa()
