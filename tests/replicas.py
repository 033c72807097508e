"""A primary and its replica, which a test can freeze: then no write is confirmed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from service.records import confirmation
from tests.polling import eventually
from tests.processes import RedisServer

_BRIEF_MS, _PATIENT_MS = 20, 15_000


class Pair:
    """A primary and its replica."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.replica = (_new_server(folder / name) for name in ("primary", "replica"))

    def start(self) -> None:
        self.primary.start()
        self.replica.start()
        with redis.Redis(port=self.replica.port) as client:
            client.replicaof("127.0.0.1", self.primary.port)
        eventually(self.is_in_sync)

    def stop(self) -> None:
        self.replica.thaw()
        self.replica.stop()
        self.primary.stop()

    def is_in_sync(self) -> bool:
        with redis.Redis(port=self.primary.port) as client:
            client.set("in-sync", 1, px=1)
            return int(client.wait(1, 1000)) == 1

    @contextmanager
    def without_replica(self) -> Iterator[None]:
        """Freeze the replica. Writes wait for it for a moment only."""
        self.replica.freeze()
        try:
            with _waiting_for(_BRIEF_MS):
                yield
        finally:
            self.replica.thaw()
            eventually(self.is_in_sync)


def _new_server(folder: Path) -> RedisServer:
    folder.mkdir(parents=True)
    return RedisServer(folder)


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Start a primary and its replica. Writes of this process wait for it as long as a busy machine needs."""
    made = Pair(folder)
    try:
        made.start()
        with _waiting_for(_PATIENT_MS):
            yield made
    finally:
        made.stop()


@contextmanager
def _waiting_for(milliseconds: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confirmation, "WAIT_MS", milliseconds)
        yield
