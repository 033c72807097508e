"""A worker with more connections than another leaves the next one to it, for a moment."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.pool import Pool  # type: ignore[import-untyped]

from service.web import connection_balance
from service.web.connection_balance import Server, count, take_slot

LIMIT = 30


@pytest.fixture
def workers() -> Iterator[list[SimpleNamespace]]:
    """Two workers with a slot each."""
    master, found = SimpleNamespace(WORKERS={}), []
    for number in range(2):
        worker = SimpleNamespace(slot=None)
        take_slot(master, worker)
        master.WORKERS[number] = worker
        found.append(worker)
    yield found
    take_slot(SimpleNamespace(WORKERS={}), SimpleNamespace(slot=None))


class Accepting:
    """The server of the first worker, with a client that connects to it."""

    def __init__(self, stack: ExitStack, worker: SimpleNamespace) -> None:
        self.is_accepted, self.yielded = Event(), Event()
        self.server = Server(("127.0.0.1", 0), handle=lambda *_: self.is_accepted.set(), spawn=Pool(10))
        self.server.slot = worker.slot
        stop = self.server.stop_accepting
        self.server.stop_accepting = lambda: (stop(), self.yielded.set())
        self.server.start()
        stack.callback(self.server.stop)
        stack.enter_context(socket.create_connection(("127.0.0.1", self.server.server_port)))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_worker_with_as_few_connections_accepts_at_once(stack: ExitStack, workers: list[Any]) -> None:
    for worker in workers:
        count(worker.slot, 1)
    accepting = Accepting(stack, workers[0])
    assert accepting.is_accepted.wait(LIMIT)
    assert not accepting.yielded.is_set()


def test_worker_with_more_connections_waits_first(
    stack: ExitStack, workers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_balance, "YIELD_SECONDS", 2 * LIMIT)
    count(workers[0].slot, 1)
    accepting = Accepting(stack, workers[0])
    assert accepting.yielded.wait(LIMIT)
    assert not accepting.is_accepted.is_set()


def test_worker_with_more_connections_accepts_in_the_end(stack: ExitStack, workers: list[Any]) -> None:
    count(workers[0].slot, 1)
    accepting = Accepting(stack, workers[0])
    assert accepting.is_accepted.wait(LIMIT)
    assert accepting.yielded.is_set()


def test_nobody_waits_for_a_worker_that_has_ended(stack: ExitStack, workers: list[Any]) -> None:
    count(workers[0].slot, 1)
    ended = Server(("127.0.0.1", 0), handle=lambda *_: None)
    ended.slot = workers[1].slot
    ended.close()
    accepting = Accepting(stack, workers[0])
    assert accepting.is_accepted.wait(LIMIT)
    assert not accepting.yielded.is_set()


def test_successor_takes_the_slot_of_a_dead_worker(workers: list[Any]) -> None:
    successor = SimpleNamespace(slot=None)
    take_slot(SimpleNamespace(WORKERS={1: workers[1]}), successor)
    assert successor.slot == workers[0].slot
