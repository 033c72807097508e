"""The spool: a folder of files for webhooks, answers and opt-outs while Redis is unavailable, drained in order later.

A file is written under a hidden name and synced, then renamed, then the folder is synced. After `put` returns, a power
cut doesn't lose the file, and no reader sees half of it. Draining is idempotent: the records accept every entry twice.

An `open` file may be replaced, but only by its writer. A drain renames it first. Any later write is then
a new file, or a copy with more in it, so neither side waits for the other.
"""

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from service.intake import synced_files
from service.intake.spool_size import SpoolSize, list_entries
from service.intake.synced_files import FolderUnfit

log = structlog.get_logger()

_ABANDONED_SECONDS = 3600.0
_MAX_FAILURES = 3
"""How often an entry may fail before the entries of other conversations are tried."""
_REPORT_INTERVAL_SECONDS = 600.0
_OVERDUE_SECONDS = 60.0
"""An entry that waits for longer than this while Redis works shows a problem."""

_WEBHOOK_SHARE = 4
"""One part in four is reserved for webhooks: a customer can send a form again, but Dixa gives up."""
_MAX_OPEN = 10_000
"""How many open files a process remembers. A forgotten one is no longer replaced, which does no harm."""
_OPEN = ".open.json"
CORRUPT = "corrupt"
LOCK = ".lock"
"""Locked during a drain. Its modification time is the last drained entry, or the last recovery of Redis."""

Entry = dict[str, Any]
"""An entry as JSON, written and read by `service.intake.spool_codec`."""


class SpoolUnavailable(Exception):
    """The folder can't be written, or is full."""


class EntryError(Exception):
    """An entry can't be read. It is set aside, since another try won't help."""


class EntryIsNewer(EntryError):
    """A newer version wrote the entry, and will drain it. Two versions may share a folder during a deploy."""


class Spool:
    """A folder of entries. Several processes, and several hosts on a shared disk, may use one."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._corrupt = folder / CORRUPT
        self._max_bytes = max_bytes
        self._max_answer_bytes = max_bytes - max_bytes // _WEBHOOK_SHARE
        self._numbers = count()
        self._size = SpoolSize(folder)
        self._open: dict[str, str] = {}
        self._writing = Lock()
        self._failures: Counter[str] = Counter()
        self._newer: set[str] = set()
        self._report_at = -math.inf
        self._is_unfit = False

    def prepare(self) -> None:
        """Create the folder, private to this user, and test write, lock and sync. Raises SpoolUnavailable."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A killed process may leave its probe, and the next process may get the same number: a new name each time.
            synced_files.try_folder(self._folder, f".probe-{self._new_name()}", self._folder / LOCK)
            self._sweep()
        except OSError as error:
            self._is_unfit = isinstance(error, FolderUnfit)
            raise SpoolUnavailable(f"{self._folder}: {error.strerror}") from error
        self._is_unfit = False

    def put(self, entry: Entry) -> None:
        """Write an entry. Raises SpoolUnavailable unless it is on the disk."""
        self._put(self._new_name(), entry, 0, self._max_bytes)

    def put_latest(self, key: str, write: Callable[[Entry | None], Entry]) -> None:
        """Write an entry in place of this process's earlier one for the same key, if that wasn't drained yet.

        `write` gets the earlier entry. The part reserved for webhooks takes none of these. Raises SpoolUnavailable.
        """
        with self._writing:
            if len(self._open) >= _MAX_OPEN:
                self._open.clear()
            name = self._open.get(key, "")
            before = self._read(self._folder / name) if name else None
            if before is None:
                name = self._new_name().replace(".json", _OPEN)
            self._put(name, write(before), len(_dump(before)) if before else 0, self._max_answer_bytes)
            self._open[key] = name

    def _put(self, name: str, entry: Entry, replaced: int, max_bytes: int) -> None:
        """Write an entry in place of `replaced` bytes."""
        if self._is_unfit or not self._folder.is_dir():
            # A folder that can't be locked is never drained, so nothing is accepted into it. The folder may also have
            # been deleted, by hand or by a cleanup of temporary files.
            self.prepare()
        body = _dump(entry)
        hidden = self._folder / f".{self._new_name()}"
        try:
            if self._size.bytes() + len(body) - replaced > max_bytes:
                raise SpoolUnavailable("the spool is full")
            synced_files.write(hidden, body)
            hidden.rename(self._folder / name)
            synced_files.sync_folder(self._folder)
            self._size.add(len(body) - replaced)
        except OSError as error:
            with suppress(OSError):
                hidden.unlink()
            raise SpoolUnavailable(f"the spool can't be written: {error.strerror}") from error

    def drain(self, take: Callable[[Entry], None]) -> int:
        """Pass every entry to `take`, oldest first, and delete it afterwards. Return how many were taken.

        If `take` raises EntryIsNewer, the entry stays. If it raises EntryError, the entry is set aside. Any other error
        is raised and stops the drain, which keeps the order. If the same entry has failed several times, the entries of
        other conversations are tried before its error is raised. Does nothing while another process drains, or while
        the folder can't be locked.
        """
        try:
            with synced_files.alone(self._folder / LOCK) as is_alone:
                return self._drain_all(take) if is_alone else 0
        except FolderUnfit as error:
            if not self._is_unfit:
                log.error("spool.unavailable", problem=error.strerror)  # noqa: TRY400 - it says it all
            self._is_unfit = True
            return 0

    def probe(self) -> bool:
        """Write and delete a file. Return whether the spool accepts an entry now."""
        try:
            self.prepare()
            return self._size.bytes() < self._max_bytes
        except (OSError, SpoolUnavailable):
            return False

    def has_room_for_answers(self) -> bool:
        """Return whether there is room for answers and opt-outs beside the part reserved for webhooks."""
        return self._size.bytes() < self._max_answer_bytes

    def waiting(self) -> int:
        """Count the entries."""
        return len(self._names())

    def size(self) -> int:
        """Return the size of the entries in bytes, as of about a second ago."""
        return self._size.bytes()

    def overdue(self) -> int:
        """Count the entries older than a minute, if none was drained for as long.

        Entries of a newer version don't count once they were read. While Redis is down, the number means nothing.
        """
        now = time.time()
        if _is_old(_written_at(self._folder / LOCK, default=0.0), now):
            names = [name for name in self._names() if name not in self._newer]
            return sum(_is_old(_written_at(self._folder / name, default=now), now) for name in names)
        return 0

    def restart_overdue(self) -> None:
        """Restart the time of `overdue`: Redis is back, and draining takes a while."""
        with suppress(OSError):
            (self._folder / LOCK).touch(mode=0o600)

    def left_to_newer(self) -> int:
        """Count the entries of a newer version read so far."""
        return len(self._newer.intersection(self._names()))

    def corrupt(self) -> int:
        """Count the unreadable entries."""
        return len(list_entries(self._corrupt))

    def _drain_all(self, take: Callable[[Entry], None]) -> int:
        names = sorted(self._names())
        self._failures = Counter({name: self._failures[name] for name in names if name in self._failures})
        self._newer.intersection_update(names)
        try:
            return self._drain([name for name in names if name not in self._newer], take)
        finally:
            self._report_newer()

    def _drain(self, names: Iterable[str], take: Callable[[Entry], None]) -> int:
        taken, stuck = 0, dict[str, Exception]()
        for name in names:
            sealed, conversation = self._seal(name), name
            try:
                entry = self._read(self._folder / sealed)
                conversation = str((entry or {}).get("conversation_id", name))
                if entry is not None and conversation not in stuck:
                    taken += self._drain_one(self._folder / sealed, entry, take)
            except Exception as error:
                self._failures[sealed] += 1
                if self._failures[sealed] < _MAX_FAILURES:
                    raise
                stuck[conversation] = error
        if stuck:
            raise next(iter(stuck.values()))
        return taken

    def _seal(self, name: str) -> str:
        """Rename an open file, so its writer can no longer replace it during the drain."""
        sealed = name.removesuffix(_OPEN) + ".json" if name.endswith(_OPEN) else name
        if sealed != name:
            with suppress(FileNotFoundError):
                (self._folder / name).rename(self._folder / sealed)
        return sealed

    def _drain_one(self, path: Path, entry: Entry, take: Callable[[Entry], None]) -> bool:
        try:
            take(entry)
        except EntryIsNewer:
            self._newer.add(path.name)
            return False
        except EntryError as error:
            self._set_aside(path, str(error))
            return False
        path.unlink(missing_ok=True)
        self.restart_overdue()
        self._size.forget()
        return True

    def _read(self, path: Path) -> Entry | None:
        try:
            entry = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            self._set_aside(path, "not JSON")
            return None
        if isinstance(entry, dict):
            return entry
        self._set_aside(path, "not an object")
        return None

    def _set_aside(self, path: Path, problem: str) -> None:
        self._corrupt.mkdir(mode=0o700, exist_ok=True)
        path.rename(self._corrupt / path.name)
        self._size.forget()
        log.error("spool.corrupt", file=path.name, problem=problem)

    def _report_newer(self) -> None:
        if self._newer and time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + _REPORT_INTERVAL_SECONDS
            log.warning("spool.newer", entries=len(self._newer), problem="only the version that wrote them reads them")

    def _names(self) -> list[str]:
        return [entry.name for entry in list_entries(self._folder)]

    def _new_name(self) -> str:
        return f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.json"

    def _sweep(self) -> None:
        """Delete the hidden files of killed writers. Nothing in them was acknowledged."""
        abandoned_at = time.time() - _ABANDONED_SECONDS
        for path in self._folder.glob(".*.json"):
            with suppress(OSError):
                if path.stat().st_mtime < abandoned_at:
                    path.unlink()


def _dump(entry: Entry) -> bytes:
    # JSON may contain an escaped lone surrogate. "surrogatepass" keeps it.
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _written_at(path: Path, *, default: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return default


def _is_old(written_at: float, now: float) -> bool:
    """Return whether this is over a minute ago. After the host's clock was set back, it may be in the future."""
    return abs(now - written_at) > _OVERDUE_SECONDS
