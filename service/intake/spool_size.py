"""How much a spool holds. In an outage it may be 100,000 files, so they aren't measured for each that is put."""

import math
import os
import time
from pathlib import Path

_MEASURE_AGAIN = 1.0
_MEASURE_SHARE = 0.02
"""How much of a process's time may go into measuring the folder."""


class SpoolSize:
    """What the folder held a while ago, and what this process has put since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes = 0
        self._measure_at = -math.inf

    def bytes(self) -> int:
        """Return the size, measured anew if that was long ago."""
        begun_at = time.monotonic()
        if begun_at >= self._measure_at:
            self._bytes = sum(_size(entry) for entry in list_entries(self._folder))
            took = time.monotonic() - begun_at
            self._measure_at = begun_at + max(_MEASURE_AGAIN, took / _MEASURE_SHARE)
        return self._bytes

    def add(self, put: int) -> None:
        """Count what this process has put."""
        self._bytes += put

    def forget(self) -> None:
        """Measure anew the next time: something was removed."""
        self._measure_at = -math.inf


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """List what waits in a folder; nothing if it isn't there."""
    try:
        with os.scandir(folder) as found:
            return [each for each in found if each.name.endswith(".json") and not each.name.startswith(".")]
    except OSError:
        return []


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        # Another process has drained it just now.
        return 0
