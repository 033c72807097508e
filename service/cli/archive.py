"""`afterword archive`: fill the archive from the records, and delete comments from it.

SQLAlchemy is large, so only these commands import it, when they run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from config.settings import Settings
from service.cli.archive_reader import archive_url_of
from service.cli.context import open_records, open_settings
from service.cli.output import say
from service.cli.params import ConversationId
from service.records.due_archive import DueArchive

if TYPE_CHECKING:
    from service.archive.store import Archive


@click.group(short_help="Fill the archive, from which reports are made.")
def archive() -> None:
    """Fill the archive, from which reports are made."""


@archive.command(short_help="Write a row for every record.")
def rebuild() -> None:
    """Let the workers write a row for every record, into the archive at ARCHIVE_URL.

    Rows without a record any more stay as they are. So do comments that Dixa has: records have forgotten those.
    """
    settings = open_settings()
    with _writing(settings) as this:
        count = DueArchive.beside(open_records(settings)).restart(this.prepare())
    say(f"{count} surveys are due for the archive. The workers write some thousands a second: see `afterword doctor`.")


@archive.command("forget-comments", short_help="Delete the comments of a conversation.")
@click.argument("conversation_id", type=ConversationId())
def forget_comments(conversation_id: int) -> None:
    """Delete the comments of a conversation from the archive, such as one whose record has expired."""
    with _writing(open_settings()) as this:
        count = this.forget_comments(conversation_id)
    say(f"Comments deleted from the archive: {count}.")


@contextmanager
def _writing(settings: Settings) -> Iterator["Archive"]:
    """Open the archive, and say in one line why it can't be written."""
    from service.archive.engine import ArchiveUnavailable  # noqa: PLC0415
    from service.archive.store import open_archive  # noqa: PLC0415

    url = archive_url_of(settings)
    try:
        yield open_archive(url, settings.archive_retention)
    except ArchiveUnavailable as error:
        raise click.ClickException(f"The archive can't be written: {error}. Check ARCHIVE_URL.") from None
