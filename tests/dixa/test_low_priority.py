"""Low-priority calls keep their rate, leave slots for other calls, and are retried."""

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
    """Records waits instead of waiting. `act` runs during each."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.seconds: list[float] = []
        self._act = act

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._act()


def name(client: DixaClient) -> Callable[[Slot], str]:
    return client.organization_name


def test_calls_keep_the_rate(client: DixaClient) -> None:
    waits = Waits()
    low_priority, began = LowPriorityDixa(client, 2.0, waits), monotonic()
    for _ in range(3):
        low_priority.call(name(client))
    took = monotonic() - began
    assert waits.seconds[0] == 0.0
    assert all(0.5 - took <= each <= 0.5 for each in waits.seconds[1:])


def test_other_calls_get_their_reserved_slots_first(dixa: Sandbox, redis_client: redis.Redis, prefix: str) -> None:
    """The worker has used the burst and reserved the next slot."""
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


def test_failed_calls_are_retried(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(times=2, status=503, call="organization")
    waits = Waits()
    assert LowPriorityDixa(client, 1000, waits).call(name(client)) == "Nordlys Outdoor"
    assert [each for each in waits.seconds if each >= 0.5] == [1.0, 2.0]


def test_a_call_fails_after_four_attempts_or_a_refusal(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(times=4, status=503, call="organization")
    with pytest.raises(RetryLater):
        LowPriorityDixa(client, 1000, Waits()).call(name(client))
    assert len(dixa.calls) == 4
    with pytest.raises(Refused):
        LowPriorityDixa(client, 1000, Waits()).call(lambda slot: client.conversation(slot, 7))
    assert len(dixa.calls) == 5


def test_a_refused_token_is_not_retried(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(status=401, call="organization")
    with pytest.raises(TokenRefused, match="DIXA_API_TOKEN"):
        LowPriorityDixa(client, 1000, Waits()).call(name(client))
    assert len(dixa.calls) == 1
