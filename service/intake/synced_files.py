"""Files that a power cut doesn't lose: how they are written, and how a folder is locked and tried for both.

Not every file system can: some network mounts lock nothing, and some sync no folder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderUnfit(OSError):
    """The folder can't do what it must; the text says which step failed, and why."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(error.errno, f"{step}: {os.strerror(error.errno or 0)}")


def write(path: Path, body: bytes) -> None:
    """Write a new file, and return when it is on the disk; its name is only after `sync_folder`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when the names of a folder's files are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, unless somebody else does; a process that dies lets go of it. Raises FolderUnfit."""
    try:
        with _step("it can't be locked"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FolderUnfit:
        if path.parent.is_dir():
            raise
        yield False
        return
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise FolderUnfit("it can't be locked", error) from error
    return True


def try_folder(folder: Path, name: str, lock: Path) -> None:
    """Write a file of this name, lock it, sync it and the folder, and remove it; open the lock, if it is there.

    Raises FolderUnfit.
    """
    probe = folder / name
    with _step("it can't be written"):
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with _step("it can't be written"):
            os.write(handle, b"afterword")
        _lock(handle)
        with _step("its files can't be synced"):
            os.fsync(handle)
        with _step("it can't be synced"):
            sync_folder(folder)
        if lock.exists():
            with _step("it can't be locked"):
                os.close(os.open(lock, os.O_RDWR))
    finally:
        os.close(handle)
        probe.unlink(missing_ok=True)


@contextmanager
def _step(problem: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderUnfit(problem, error) from error
