"""The check of the archive: whether the workers write it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.doctor.finding import Check, Finding, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE
from service.records.due_archive import DueArchive

_LATE = timedelta(minutes=5)
_REMEDY = "See archive.failed in the workers' log, worker.alive and ARCHIVE_URL"


def _archive(installation: Installation) -> Iterator[Finding]:
    if installation.settings.archive_url is None:
        yield ok("off: there are no reports")
        return
    due = DueArchive.beside(installation.records)
    facts, waiting = due.facts(), due.count_due()
    if facts is None:
        if waiting:
            yield warn(f"not made yet, and {waiting} surveys are due", _REMEDY)
        else:
            yield ok("the first worker makes it")
        return
    written_at = facts.written_at
    if waiting and written_at and datetime.now(UTC) - written_at > _LATE:
        yield warn(
            f"not written since {written_at:%Y-%m-%d %H:%M} UTC, and {waiting} surveys are due; nothing is lost",
            _REMEDY,
        )
    else:
        yield ok(f"written, {waiting} surveys are due")


CHECKS = (Check("archive", _archive, (REACHABLE,)),)
