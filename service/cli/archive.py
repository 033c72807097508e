"""`afterword archive rebuild`: fill an archive from the records."""

import click

from service.cli.context import open_records, open_settings
from service.cli.output import say
from service.records.due_archive import DueArchive


@click.group(short_help="Fill the archive, from which reports are made.")
def archive() -> None:
    """Fill the archive, from which reports are made."""


@archive.command(short_help="Write a row for every record.")
def rebuild() -> None:
    """Let the workers write a row for every record, into the archive at ARCHIVE_URL.

    Rows without a record any more stay as they are. So do comments that Dixa has: records have forgotten those.
    """
    # SQLAlchemy is large, and no other command needs it.
    from service.archive.store import ArchiveUnavailable, open_archive  # noqa: PLC0415

    settings = open_settings()
    if settings.archive_url is None:
        raise click.ClickException("There is no archive: ARCHIVE_URL is off, or isn't set while SPOOL_DIR is off.")
    try:
        this = open_archive(settings.archive_url, settings.archive_retention).prepare()
    except ArchiveUnavailable as error:
        raise click.ClickException(f"The archive can't be written: {error}.") from None
    count = DueArchive.beside(open_records(settings)).restart(this)
    say(f"{count} surveys are due for the archive. The workers write some thousands a second: see `afterword doctor`.")
