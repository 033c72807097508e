"""Files safe from a power cut, a lock on a folder, and a test of both.

Some file systems fail the test: some network mounts support no locks, and some can't sync a folder.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderUnfit(OSError):
    """The folder lacks a required function. The text names the step and the cause."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(error.errno, f"{step}: {os.strerror(error.errno or 0)}")


def write(path: Path, body: bytes) -> None:
    """Write a new file and sync it. Its name is only durable after `sync_folder`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        # `flush` empties Python's buffer into the kernel, and only `fsync` puts the kernel's pages on the disk.
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder.

    A rename is an entry of the folder, not of the file. If the folder is synced last, a file with a final name is
    whole: the order is file, rename, folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Lock a file. Yield False if another process holds the lock. A dead process loses it. Raises FolderUnfit."""
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
    """Write, lock, sync and delete a file of this name, sync the folder, and open an existing lock file.

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
