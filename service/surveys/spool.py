"""Where webhooks and answers wait while Redis can't be written: one file each, drained in order when it can again.

A file is written beside its place, synced, renamed into it, and the folder synced: after `put` returns, a power cut
doesn't lose it, and no reader ever sees half of it. Draining is repeatable: both kinds of entry may be written to the
records twice.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

_MEASURE_AGAIN = 1.0

Entry = dict[str, Any]
"""What waits, as JSON: `service.surveys.intake` writes it and reads it."""


class SpoolUnavailable(Exception):
    """Nothing could be kept: the folder can't be written, or holds as much as it may."""


class EntryError(Exception):
    """An entry that can't be read; it is set aside, since waiting won't mend it."""


class Spool:
    """A folder of entries. Several processes, and several hosts on a shared disk, may use one."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._corrupt = folder / "corrupt"
        self._most_bytes = most_bytes
        self._numbers = count()
        self._measured = (-_MEASURE_AGAIN, 0)

    def prepare(self) -> None:
        """Make the folder, readable by nobody else, and write to it once. Raises SpoolUnavailable."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self._folder / f".probe-{os.getpid()}"
            self._write(probe, b"")
            probe.unlink()
        except OSError as error:
            raise SpoolUnavailable(f"{self._folder}: {error.strerror}") from error

    def put(self, entry: Entry) -> None:
        """Keep an entry for good. Raises SpoolUnavailable when it isn't kept."""
        body = json.dumps(entry).encode()
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.json"
        hidden = self._folder / f".{name}"
        try:
            if self._known_size() + len(body) > self._most_bytes:
                raise SpoolUnavailable("the spool is full")
            self._write(hidden, body)
            hidden.rename(self._folder / name)
            _sync_folder(self._folder)
        except OSError as error:
            hidden.unlink(missing_ok=True)
            raise SpoolUnavailable(f"the spool can't be written: {error.strerror}") from error

    def drain(self, take: Callable[[Entry], None]) -> int:
        """Hand every entry to `take`, oldest first, and remove it after; returns how many there were.

        An entry for which `take` raises EntryError is set aside; any other error stops the draining and is raised.
        Nothing happens while another process drains.
        """
        with self._alone() as is_alone:
            paths = self._paths() if is_alone else []
            for path in paths:
                self._drain_one(path, take)
            return len(paths)

    def is_writable(self) -> bool:
        """Say whether an entry could be kept now."""
        try:
            self.prepare()
            return self._known_size() < self._most_bytes
        except (OSError, SpoolUnavailable):
            return False

    def waiting(self) -> int:
        """Count the entries."""
        return len(self._paths())

    def set_aside(self) -> int:
        """Count the entries that couldn't be read."""
        return sum(1 for _ in self._corrupt.glob("*.json"))

    def _drain_one(self, path: Path, take: Callable[[Entry], None]) -> None:
        try:
            take(_object(path.read_bytes()))
        except FileNotFoundError:
            return
        except (EntryError, ValueError, RecursionError) as error:
            self._corrupt.mkdir(mode=0o700, exist_ok=True)
            path.rename(self._corrupt / path.name)
            problem = str(error) if isinstance(error, EntryError) else "not JSON"
            log.error("spool.corrupt", file=path.name, problem=problem)  # noqa: TRY400 - no traceback: it may quote
            return
        path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.glob("*.json") if not path.name.startswith("."))
        except OSError:
            return []

    def _known_size(self) -> int:
        """What the folder holds, measured a moment ago: in an outage it may be thousands of files."""
        measured_at, size = self._measured
        if time.monotonic() - measured_at >= _MEASURE_AGAIN:
            size = sum(path.stat().st_size for path in self._paths())
            self._measured = (time.monotonic(), size)
        return size

    @staticmethod
    def _write(path: Path, body: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the folder's lock, if nobody else does; a process that dies lets go of it."""
        try:
            handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield False
            return
        try:
            yield _lock(handle)
        finally:
            os.close(handle)


def _object(body: bytes) -> Entry:
    entry = json.loads(body)
    if not isinstance(entry, dict):
        raise EntryError("not an object")
    return entry


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
