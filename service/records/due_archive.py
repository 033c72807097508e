"""The records due for the archive, and what Redis knows of the archive: which one it is, and how far it was written.

Every method raises RecordsUnavailable when Redis can't be reached.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from service.records.codec import from_ms, to_ms
from service.records.listing import Listing

DUE_ARCHIVE: Final = "due:archive"
"""The key of the due set, after the prefix."""
BATCH: Final = 200
"""Records for one transaction of the archive."""
_LEASE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Take:
    """Records taken for the archive. `lease` is the score under which they come again, if no row is written."""

    version: int
    lease: str
    survey_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What Redis knows of the archive: its id, and the version and time of the last rows written."""

    archive: str
    version: int = 0
    written_at: datetime | None = None


class OtherArchive(Exception):
    """The records of this installation go into another archive."""


class DueArchive(Listing):
    """The records due for the archive of one installation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._due_key, self._facts_key = f"{self._prefix}{DUE_ARCHIVE}", f"{self._prefix}archive"

    def take(self, archive: str, most: int = BATCH) -> Take:
        """Take the next records for this archive. Raises OtherArchive if any are due, for another one."""
        given = (archive, most, _LEASE)
        known, version, lease, found = self._run_script("due_archive.take", (self._due_key, self._facts_key), *given)
        if known != archive:
            raise OtherArchive(known)
        return Take(int(version), lease, tuple(found))

    def finish(self, take: Take) -> None:
        """Forget these records, unless they have changed since they were taken."""
        self._run_script("due_archive.done", (self._due_key, self._facts_key), take.lease, take.version)

    def facts(self) -> ArchiveFacts | None:
        """Return what is known of the archive, or None before the first row."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._facts_key))
        if "archive" not in found:
            return None
        written_at = from_ms(found["written_at"]) if "written_at" in found else None
        return ArchiveFacts(found["archive"], int(found.get("version", 0)), written_at)

    def restart(self, archive: str) -> int:
        """Make this archive the one that is written, with every record due for it. Return their number."""
        self._run_command(lambda: self._redis.hset(self._facts_key, "archive", archive))
        now_ms, start = to_ms(self.read_clock()), len(self._key(""))
        cursor = count = 0
        while True:
            cursor, keys = self._scan(cursor)
            if keys:
                due = {key[start:]: now_ms for key in keys}
                count += int(self._run_command(partial(self._redis.zadd, self._due_key, due)))
            if not cursor:
                return count

    def count_due(self) -> int:
        """Count the records due for the archive."""
        return int(self._run_command(lambda: self._redis.zcard(self._due_key)))
