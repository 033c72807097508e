"""A stopped or frozen Redis is reported at once."""

import socket
from collections.abc import Callable, Iterator

import pytest

from service.records.records import Records
from service.records.redis import RecordsUnavailable, connect
from service.surveys.states import Journey
from tests.harness import AT_ONCE
from tests.processes import free_port
from tests.records.steps import (
    DAY,
    MINUTE,
    SURVEY_ID,
    answer,
    close_of,
)
from tests.tasks import take_due


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A silent server, like a frozen Redis: it accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


COMMANDS: dict[str, Callable[[Records], object]] = {
    "accept": lambda records: records.accept(close_of(), [AT_ONCE]),
    "claim": lambda records: records.claim(Journey.OFFER, SURVEY_ID),
    "load": lambda records: records.load(SURVEY_ID),
    "ping": Records.ping,
    "answer": answer,
    "take": lambda records: take_due(records, Journey.OFFER, 1, MINUTE),
}


def assert_unavailable(port: int, *names: str) -> None:
    client = connect(f"redis://127.0.0.1:{port}/0")
    for name in names:
        with pytest.raises(RecordsUnavailable):
            COMMANDS[name](Records(client, lease=MINUTE, keep=DAY, prefix="none:"))
    client.close()


def test_a_stopped_redis_is_reported_at_once() -> None:
    assert_unavailable(free_port(), *COMMANDS)


@pytest.mark.timeout(15)
def test_a_frozen_redis_is_reported_within_seconds(silent_port: int) -> None:
    """Each command takes a second. With redis-py's own retries it would take a minute."""
    assert_unavailable(silent_port, "accept", "load")
