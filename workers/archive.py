"""Writes the rows of changed records into the archive, in a thread of each worker."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import structlog

from config.settings import Settings
from service.archive.engine import ArchiveUnavailable
from service.archive.row import make_row
from service.archive.store import Archive, open_archive
from service.records.background import BackgroundLoop, LogEvents
from service.records.due_archive import DueArchive, OtherArchive, Take
from service.records.records import Records
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()

_HOUSEKEEPING_SECONDS: Final = 3600.0


class ArchiveLoop:
    """Runs in the thread of `loop`. A failure loses nothing: the records stay due."""

    def __init__(self, archive: Archive, due: DueArchive, interval: timedelta) -> None:
        self._archive = archive
        self._due = due
        self._id = ""
        self._is_ours = False
        self._housekeeping_at = 0.0
        self.loop = BackgroundLoop(
            self.step,
            interval,
            LogEvents("archive.failed", "archive.recovered", "archive.broken"),
            describe=_describe,
        )

    def start(self) -> None:
        """Begin at once."""
        self.loop.wake()
        self.loop.start("archive")

    def stop(self) -> None:
        """End after the current batch."""
        self.loop.stop()

    def step(self) -> timedelta | None:
        """Write the next batch. Return zero if more are due."""
        if not self._is_ours:
            self._id = self._id or self._archive.prepare()
            self._check_archive()
        if monotonic() >= self._housekeeping_at:
            self._housekeeping_at = monotonic() + _HOUSEKEEPING_SECONDS
            self._archive.prune(datetime.now(UTC))
        # Most looks find nothing, and this one is a single command.
        take = self._take() if self._due.count_due() else None
        if not take or not take.survey_ids:
            return None
        moment = datetime.now(UTC)
        records = self._due.load_all(take.survey_ids)
        rows = [make_row(record, take.version, self._archive.retention, moment) for record in records]
        self._archive.write(rows, take.version)
        self._due.finish(take)
        return timedelta()

    def _take(self) -> Take:
        try:
            return self._due.take(self._id)
        except OtherArchive:
            self._is_ours = False
            raise

    def _check_archive(self) -> None:
        """Raise OtherArchive if another one is written. Without this, a worker would notice at its first row."""
        facts = self._due.facts()
        if facts and facts.archive != self._id:
            raise OtherArchive
        self._is_ours = True


def _describe(error: Exception) -> str:
    if isinstance(error, OtherArchive):
        return (
            "the records of this installation go into another archive: give all workers the same ARCHIVE_URL, or let "
            "this one take over with `afterword archive rebuild`"
        )
    if isinstance(error, ArchiveUnavailable):
        return f"the archive can't be written: {error}"
    return str(error) if isinstance(error, RecordsUnavailable) else ""


def open_archive_loop(url: str, settings: Settings, records: Records) -> ArchiveLoop:
    """Make the loop for the archive at `url`."""
    archive = open_archive(url, settings.archive_retention)
    return ArchiveLoop(archive, DueArchive.beside(records), settings.timings.archive_interval)
