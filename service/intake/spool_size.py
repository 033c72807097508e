"""The size of a spool. An outage may fill it with 100,000 files, so not every write measures it."""

import math
import os
import time
from pathlib import Path

_MEASURE_AGAIN_SECONDS = 1.0
_MEASURE_SHARE = 0.02
"""The share of a process's time for measuring the folder."""


class SpoolSize:
    """The size when it was last measured, plus the writes of this process since then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes = 0
        self._measure_at = -math.inf

    def bytes(self) -> int:
        """Return the size, after a new measurement if the last one is old."""
        begun_at = time.monotonic()
        if begun_at >= self._measure_at:
            self._bytes = sum(_size(entry) for entry in list_entries(self._folder))
            took = time.monotonic() - begun_at
            self._measure_at = begun_at + max(_MEASURE_AGAIN_SECONDS, took / _MEASURE_SHARE)
        return self._bytes

    def add(self, put: int) -> None:
        """Count a write of this process."""
        self._bytes += put

    def forget(self) -> None:
        """Measure at the next call, since a file was removed."""
        self._measure_at = -math.inf


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries in a folder, or none if it doesn't exist."""
    try:
        with os.scandir(folder) as found:
            return [each for each in found if each.name.endswith(".json") and not each.name.startswith(".")]
    except OSError:
        return []


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        # Another process has just drained it.
        return 0
