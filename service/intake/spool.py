"""Where webhooks, answers and stops wait while Redis can't be written, as files that are drained in order when it can.

A file is written beside its place, synced, renamed into it, and the folder synced: after `put` returns, a power cut
doesn't lose it, and no reader ever sees half of it. Draining is repeatable: an entry of any kind may be written to the
records twice.

A file that is `open` may be replaced by the process that wrote it, and by no other. Whoever drains it renames it first:
what is put after that is a file of its own, or a copy with more in it. So neither waits for the other.
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
_MAX_WAIT = 3
"""How often an entry may fail before others are tried all the same."""
_TELL_EVERY = 600.0
_OVERDUE_SECONDS = 60.0
"""How long an entry may wait while others come home, or none does, until something must be wrong."""

_FOR_WEBHOOKS = 4
"""One part in so many is for webhooks alone: customers can send again, and Dixa gives up."""
_MOST_OPEN = 10_000
"""How many files a process remembers as its own; one that it forgets isn't replaced any more, that is all."""
_OPEN = ".open.json"
_LOCK = ".lock"
"""Locked by whoever drains; its time is when something came home last, or Redis came back."""

Entry = dict[str, Any]
"""What waits, as JSON: `service.intake.spool_codec` writes it and reads it."""


class SpoolUnavailable(Exception):
    """Nothing could be kept: the folder can't be written, or holds as much as it may."""


class EntryError(Exception):
    """An entry that can't be read; it is set aside, since waiting won't mend it."""


class EntryIsNewer(EntryError):
    """An entry that a newer version has written, which may share the folder during a deploy: it will bring it home."""


class Spool:
    """A folder of entries. Several processes, and several hosts on a shared disk, may use one."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._corrupt = folder / "corrupt"
        self._most_bytes = most_bytes
        self._most_answer_bytes = most_bytes - most_bytes // _FOR_WEBHOOKS
        self._numbers = count()
        self._size = SpoolSize(folder)
        self._open: dict[str, str] = {}
        self._writing = Lock()
        self._failures: Counter[str] = Counter()
        self._newer: set[str] = set()
        self._tell_at = -math.inf
        self._is_unfit = False

    def prepare(self) -> None:
        """Make the folder, readable by nobody else, and try all that it must be able to do. Raises SpoolUnavailable."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A killed process may leave its probe, and the next one may have the same number.
            synced_files.try_folder(self._folder, f".probe-{self._new_name()}", self._folder / _LOCK)
            self._sweep()
        except OSError as error:
            self._is_unfit = isinstance(error, FolderUnfit)
            raise SpoolUnavailable(f"{self._folder}: {error.strerror}") from error
        self._is_unfit = False

    def put(self, entry: Entry) -> None:
        """Keep an entry for good. Raises SpoolUnavailable when it isn't kept."""
        self._put(self._new_name(), entry, 0, self._most_bytes)

    def put_latest(self, key: str, write: Callable[[Entry | None], Entry]) -> None:
        """Keep an entry in place of the one that this process has put for the same key, if that still waits.

        `write` is handed that one. The last part of the spool takes none of these. Raises SpoolUnavailable.
        """
        with self._writing:
            if len(self._open) >= _MOST_OPEN:
                self._open.clear()
            name = self._open.get(key, "")
            before = self._read(self._folder / name) if name else None
            if before is None:
                name = self._new_name().replace(".json", _OPEN)
            self._put(name, write(before), len(_dump(before)) if before else 0, self._most_answer_bytes)
            self._open[key] = name

    def _put(self, name: str, entry: Entry, replaced: int, most_bytes: int) -> None:
        """Write an entry in place of one of so many bytes."""
        if self._is_unfit or not self._folder.is_dir():
            # What can't be locked is never brought home, so nothing is said yes to until it can be. A folder may be
            # gone, too, by a hand or whatever clears temporary files.
            self.prepare()
        body = _dump(entry)
        hidden = self._folder / f".{self._new_name()}"
        try:
            if self._size.bytes() + len(body) - replaced > most_bytes:
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
        """Hand every entry to `take`, oldest first, and remove it after; returns how many it took.

        An entry for which `take` raises EntryIsNewer stays, one for which it raises EntryError is set aside. Any other
        error is raised and stops the draining, so that the order stays; but after an entry that has failed time and
        again those of other conversations are tried, before its error is raised.
        Nothing happens while another process drains, or while the folder can't be locked.
        """
        try:
            with synced_files.alone(self._folder / _LOCK) as is_alone:
                return self._drain_all(take) if is_alone else 0
        except FolderUnfit as error:
            if not self._is_unfit:
                log.error("spool.unavailable", problem=error.strerror)  # noqa: TRY400 - it says it all
            self._is_unfit = True
            return 0

    def is_writable(self) -> bool:
        """Say whether an entry could be kept now."""
        try:
            self.prepare()
            return self._size.bytes() < self._most_bytes
        except (OSError, SpoolUnavailable):
            return False

    def has_room_for_answers(self) -> bool:
        """Say whether answers and stops still find room; the rest is for webhooks."""
        return self._size.bytes() < self._most_answer_bytes

    def waiting(self) -> int:
        """Count the entries."""
        return len(self._names())

    def overdue(self) -> int:
        """Count the entries that have waited for more than a minute, if none came home for as long.

        Those of a newer version don't count, as far as they have been looked at. While Redis is away it says nothing.
        """
        now = time.time()
        if _is_old(_written_at(self._folder / _LOCK, default=0.0), now):
            names = [name for name in self._names() if name not in self._newer]
            return sum(_is_old(_written_at(self._folder / name, default=now), now) for name in names)
        return 0

    def restart_overdue(self) -> None:
        """Count what waits as overdue from now on: Redis is back, and it takes a while to bring all of it home."""
        with suppress(OSError):
            (self._folder / _LOCK).touch(mode=0o600)

    def left_to_newer(self) -> int:
        """Count the entries that a newer version has written, as far as they have been looked at."""
        return len(self._newer.intersection(self._names()))

    def set_aside(self) -> int:
        """Count the entries that couldn't be read."""
        return len(list_entries(self._corrupt))

    def _drain_all(self, take: Callable[[Entry], None]) -> int:
        names = sorted(self._names())
        self._failures = Counter({name: self._failures[name] for name in names if name in self._failures})
        self._newer.intersection_update(names)
        try:
            return self._drain([name for name in names if name not in self._newer], take)
        finally:
            self._tell_of_newer()

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
                if self._failures[sealed] < _MAX_WAIT:
                    raise
                stuck[conversation] = error
        if stuck:
            raise next(iter(stuck.values()))
        return taken

    def _seal(self, name: str) -> str:
        """Rename a file that may still be replaced: from now on nothing can take its place while it is drained."""
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
            return _object(path.read_bytes())
        except FileNotFoundError:
            return None
        except (EntryError, ValueError, RecursionError) as error:
            self._set_aside(path, str(error) if isinstance(error, EntryError) else "not JSON")
            return None

    def _set_aside(self, path: Path, problem: str) -> None:
        self._corrupt.mkdir(mode=0o700, exist_ok=True)
        path.rename(self._corrupt / path.name)
        self._size.forget()
        log.error("spool.corrupt", file=path.name, problem=problem)

    def _tell_of_newer(self) -> None:
        if self._newer and time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + _TELL_EVERY
            log.warning("spool.newer", entries=len(self._newer), problem="only the version that wrote them reads them")

    def _names(self) -> list[str]:
        return [entry.name for entry in list_entries(self._folder)]

    def _new_name(self) -> str:
        return f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}.json"

    def _sweep(self) -> None:
        """Remove what processes that were killed while writing left behind: nobody was told that it is kept."""
        abandoned_at = time.time() - _ABANDONED_SECONDS
        for path in self._folder.glob(".*.json"):
            with suppress(OSError):
                if path.stat().st_mtime < abandoned_at:
                    path.unlink()


def _dump(entry: Entry) -> bytes:
    # A lone surrogate, which JSON may have escaped, stays what it is.
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _written_at(path: Path, *, default: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return default


def _is_old(written_at: float, now: float) -> bool:
    """Say whether this is more than a minute ago. A clock that has been set back since may have told a time ahead."""
    return abs(now - written_at) > _OVERDUE_SECONDS


def _object(body: bytes) -> Entry:
    entry = json.loads(body)
    if not isinstance(entry, dict):
        raise EntryError("not an object")
    return entry
