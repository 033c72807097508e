"""Helpers for the tests of spools."""

import os
from pathlib import Path

from service.intake.spool import Entry, Spool

MB = 1024 * 1024


class Down(Exception):
    """Redis is down during a drain."""


def open_spool(folder: Path, max_bytes: int = MB) -> Spool:
    spool = Spool(folder, max_bytes=max_bytes)
    spool.prepare()
    return spool


def drain_all(spool: Spool) -> list[Entry]:
    taken: list[Entry] = []
    spool.drain(taken.append)
    return taken


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def age(folder: Path) -> None:
    """Make all files and the last drain an hour old."""
    for path in (*files(folder), folder / ".lock"):
        path.touch()
        os.utime(path, (0, 0))
