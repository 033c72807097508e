"""How many of a worker's threads one receiver may keep waiting: the others have something else to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import BoundedSemaphore

from service.surveys.errors import NotNow

_BUSY = timedelta(seconds=5)


class Room:
    """What a receiver may take of a worker at once. Nobody waits for it."""

    def __init__(self, receiver: str, size: int) -> None:
        self._receiver = receiver
        self._room = BoundedSemaphore(size)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a place meanwhile. Raises NotNow when there is none."""
        if not self._room.acquire(blocking=False):
            raise NotNow(f"{self._receiver} is busy", _BUSY)
        try:
            yield
        finally:
            self._room.release()

    def insist(self) -> None:
        """Raise NotNow when there is no place: what a delivery would have to find out first can wait, too."""
        with self.taken():
            return
