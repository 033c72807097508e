"""Work that can wait: at its share of the pace, after everybody else, and again after a failure."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import pytest
import redis

from service.dixa.client import DixaClient
from service.dixa.errors import TokenRefused
from service.dixa.low_priority import LowPriorityDixa
from service.sandbox.server import Sandbox
from service.surveys.errors import Refused, RetryLater
from service.surveys.ports import Deadline, Slot
from tests.harness import open_client


class Waits:
    """Counts the seconds instead of waiting for them; `act` is what happens meanwhile."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._act = act

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._act()


def name(client: DixaClient) -> Callable[[Slot], str]:
    return client.organization_name


def test_it_keeps_to_its_rate(client: DixaClient) -> None:
    waits = Waits()
    low_priority, began = LowPriorityDixa(client, 2.0, waits), monotonic()
    for _ in range(3):
        low_priority.call(name(client))
    took = monotonic() - began
    assert waits.seconds[0] == 0.0
    assert all(0.5 - took <= each <= 0.5 for each in waits.seconds[1:])


def test_a_slot_that_somebody_waits_for_is_not_taken(dixa: Sandbox, redis_client: redis.Redis, prefix: str) -> None:
    """The worker has the burst and has reserved the next slot: that one isn't waited for."""
    worker = open_client(dixa, redis_client, prefix, rate=1.1, burst=1, wait=lambda _: None)
    for _ in range(2):
        worker.take_slot(Deadline(timedelta(seconds=5)), timedelta(seconds=1))

    def give_up() -> None:
        raise InterruptedError

    waits = Waits()
    low_priority = LowPriorityDixa(worker, 1000, waits)
    waits._act = lambda: give_up() if sum(waits.seconds) > 0 else None
    with pytest.raises(InterruptedError):
        low_priority.call(name(worker))
    assert 1 < waits.seconds[-1] <= 2 / 1.1
    assert dixa.calls == []


def test_a_failure_is_tried_again(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(times=2, status=503, call="organization")
    waits = Waits()
    assert LowPriorityDixa(client, 1000, waits).call(name(client)) == "Nordlys Outdoor"
    assert [each for each in waits.seconds if each >= 0.5] == [1.0, 2.0]


def test_it_ends_when_it_is_of_no_use(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(times=4, status=503, call="organization")
    with pytest.raises(RetryLater):
        LowPriorityDixa(client, 1000, Waits()).call(name(client))
    assert len(dixa.calls) == 4
    with pytest.raises(Refused):
        LowPriorityDixa(client, 1000, Waits()).call(lambda slot: client.conversation(slot, 7))
    assert len(dixa.calls) == 5


def test_a_refused_token_is_said_at_once(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(status=401, call="organization")
    with pytest.raises(TokenRefused, match="DIXA_API_TOKEN"):
        LowPriorityDixa(client, 1000, Waits()).call(name(client))
    assert len(dixa.calls) == 1
