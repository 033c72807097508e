"""Divides new connections between the workers.

Otherwise the worker that wakes up first accepts most connections of a burst. They stay with it, while others are idle.
"""

import mmap
from typing import Any

from gevent.server import StreamServer  # type: ignore[import-untyped]

YIELD_SECONDS = 0.005
"""How long a worker leaves a connection to another one with fewer."""

_SLOTS = 64  # Further workers don't take part.
_NOBODY = 2**31
_open = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("I")[:_SLOTS]
"""Memory shared by the master and its children: the number of each worker's open connections, by its slot."""


def take_slot(master: Any, worker: Any) -> None:
    """Give a worker a slot before its fork: gunicorn's hook `pre_fork`."""
    free = set(range(_SLOTS)) - {each.slot for each in master.WORKERS.values()}
    for slot in free:
        _open[slot] = _NOBODY
    worker.slot = min(free, default=None)
    count(worker.slot, -_NOBODY)


def count(slot: int | None, change: int) -> None:
    """Count a connection that begins or ends."""
    if slot is not None:
        _open[slot] += change


class Server(StreamServer):  # type: ignore[misc]
    """A worker's server. It counts its connections if the worker has a slot."""

    slot: int | None = None
    has_waited = False

    def do_read(self) -> Any:
        """Accept a connection. If another worker has fewer ones, wait for it first: it may be busy, or have ended."""
        if self.has_waited or self.slot is None or _open[self.slot] <= min(_open):
            self.has_waited = False
            return super().do_read()
        self.has_waited = True
        self.stop_accepting()
        # As gevent waits after an error. Closing the server stops the timer.
        self._timer = self.loop.timer(YIELD_SECONDS)
        self._timer.start(self._start_accepting_if_started)
        return None

    def close(self) -> None:
        """Accept no more connections. Others needn't wait for this worker."""
        if self.slot is not None:
            _open[self.slot] = _NOBODY
        super().close()
