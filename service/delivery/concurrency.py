"""Limits how many of a worker's threads wait for one receiver. The others go on when it is slow."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

from service.surveys.errors import NotNow

_RETRY_IN = timedelta(seconds=5)


class ConcurrencyLimit:
    """Counts the calls to a receiver from one process. Never waits."""

    def __init__(self, receiver: str, size: int) -> None:
        self._receiver = receiver
        self._places = BoundedSemaphore(size)

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Reserve a place for one call. Raises NotNow if all are taken."""
        if not self._places.acquire(blocking=False):
            raise NotNow(f"{self._receiver} is busy", _RETRY_IN)
        try:
            yield
        finally:
            self._places.release()

    def check(self) -> None:
        """Raise NotNow if all places are taken. Called before the look-ups of a delivery, to save those calls."""
        with self.reserve():
            return
