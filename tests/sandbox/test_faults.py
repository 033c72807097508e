"""Each fault has its effect on the caller and on the state."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.limits import RateLimit
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.polling import eventually
from tests.sandbox.conftest import Client

DIXAS_OWN = SandboxSettings()


@pytest.fixture
def number(dixa: Sandbox) -> int:
    return dixa.make_conversation()


def test_fails_returns_an_error_without_executing(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.fails(times=2, status=503)
    assert [client.offer(number).status_code for _ in range(3)] == [503, 503, 201]
    assert len(dixa.offers(number)) == 1


def test_a_fault_applies_to_its_call_only(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.fails(call="offer", status=500)
    assert client.get(f"/conversations/{number}").status_code == 200
    assert client.offer(number).status_code == 500


def test_a_fault_for_an_unknown_call_is_an_error(dixa: Sandbox) -> None:
    with pytest.raises(ValueError, match="offer"):
        dixa.fails(call="offers")


def test_drops_before_closes_the_connection_without_executing(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.drops_before()
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    assert dixa.offers(number) == []
    assert (dixa.calls[-1].status, dixa.calls[-1].fault) == (None, "drops_before")
    assert client.offer(number).status_code == 201


def test_executes_then_drops_loses_the_response(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.executes_then_drops(times=1, call="offer")
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    assert len(dixa.offers(number)) == 1


def test_executes_then_fails_returns_an_error(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.executes_then_fails(status=502)
    assert client.offer(number).status_code == 502
    assert len(dixa.offers(number)) == 1


def test_hangs_neither_executes_nor_responds(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.hangs(30)
    with pytest.raises(requests.ReadTimeout):
        client.session.post(
            f"{client.base}/conversations/{number}/ratings/offer", json={"ratingType": "Csat"}, timeout=0.3
        )
    assert dixa.offers(number) == []


def test_a_hang_ends_with_the_sandbox(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.hangs(60)
    with pytest.raises(requests.ReadTimeout):
        client.session.get(f"{client.base}/conversations/{number}", timeout=0.1)
    dixa.stop()
    eventually(lambda: dixa.calls and dixa.calls[-1].fault == "hangs")
    assert dixa.calls[-1].duration < 50


def test_slow_executes_at_once_and_responds_late(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.inject(Fault(Kind.SLOW, seconds=0.4))
    began = monotonic()
    assert client.offer(number).status_code == 201
    assert monotonic() - began >= 0.4
    dixa.inject(Fault(Kind.SLOW, seconds=30))
    with pytest.raises(requests.ReadTimeout):
        client.session.post(
            f"{client.base}/conversations/{number}/ratings/offer", json={"ratingType": "Nps"}, timeout=0.2
        )
    eventually(lambda: len(dixa.offers(number)) == 2)


def test_executes_late_closes_the_connection_first(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.executes_late(3600, call="offer")
    dixa.executes_late(0.05, call="offer")
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    assert dixa.offers(number) == []
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    eventually(lambda: dixa.offers(number))
    assert len(dixa.offers(number)) == 1


def test_throttles_returns_429_with_an_optional_retry_after(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.throttles()
    dixa.throttles(retry_after=7)
    responses = [client.get(f"/conversations/{number}") for _ in range(3)]
    assert [response.status_code for response in responses] == [429, 429, 200]
    assert [response.headers.get("Retry-After") for response in responses] == [None, "7", None]
    assert dixa.report.throttled == 2


def test_an_outage_lasts_until_ended(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.outage()
    assert {client.offer(number).status_code for _ in range(3)} == {503}
    dixa.outage(status=None)
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    dixa.outage_is_over()
    assert client.offer(number).status_code == 201
    assert len(dixa.offers(number)) == 1


def test_random_faults_are_repeatable(dixa: Sandbox, client: Client, number: int) -> None:
    def run() -> list[int]:
        dixa.faults.randomly(seed=7, chances={"fails": 0.3, "throttles": 0.2})
        return [client.get(f"/conversations/{number}").status_code for _ in range(40)]

    first = run()
    assert run() == first
    assert 429 in first
    assert 200 in first
    assert {500, 502, 503} & set(first)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_can_be_random(dixa: Sandbox, client: Client, number: int, kind: Kind) -> None:
    dixa.faults.randomly(seed=1, chances={kind: 1.0}, seconds=0.01)
    try:
        client.get(f"/conversations/{number}")
    except requests.ConnectionError:
        assert dixa.calls[-1].status is None
    assert dixa.faults.given[kind] == 1


def test_clear_ends_every_fault(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.fails(times=5)
    dixa.faults.randomly(seed=1, chances={"fails": 1.0})
    dixa.outage()
    dixa.faults.clear()
    assert client.get(f"/conversations/{number}").status_code == 200


def test_a_refused_token_consumes_no_fault(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.executes_then_drops()
    assert requests.get(f"{client.base}/organization", timeout=30).status_code == 401
    with pytest.raises(requests.ConnectionError):
        client.offer(number)


def test_each_token_has_its_own_limit() -> None:
    # It refills too slowly to affect a slow machine.
    dixa = Sandbox(SandboxSettings(tokens=("a", "b"), rate=0.001)).start()
    a, b = Client(dixa), Client(dixa)
    b.session.headers["Authorization"] = "b"
    statuses = [a.get("/organization").status_code for _ in range(8)]
    assert statuses == [200] * 4 + [429] * 4
    assert dixa.report.throttled == 4
    assert b.get("/organization").status_code == 200
    refused = next(call for call in dixa.calls if call.status == 429)
    assert list(refused.response_json) == ["message"]
    dixa.stop()


class Clock:
    """A clock moved by the test."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_the_bucket_refills_at_the_rate_up_to_the_burst() -> None:
    clock = Clock()
    limit = RateLimit(DIXAS_OWN.rate, DIXAS_OWN.burst, clock)

    def taken() -> int:
        return sum(limit.allows("a") for _ in range(20))

    assert taken() == 4
    clock.at += 0.25
    assert taken() == 2
    clock.at += 0.06
    assert taken() == 1
    clock.at += 60
    assert taken() == 4


@given(steps=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 6)), min_size=1, max_size=40))
def test_no_interval_exceeds_burst_and_rate(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    limit, began, taken = RateLimit(10.0, 4, clock), clock.at, 0
    for pause, tries in steps:
        clock.at += pause
        taken += sum(limit.allows("a") for _ in range(tries))
        assert taken <= 4 + 10 * (clock.at - began) + 1e-6


def test_reset_cancels_hanging_and_late_calls(dixa: Sandbox, client: Client, number: int) -> None:
    dixa.executes_late(60, call="offer")
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    dixa.hangs(60, call="conversation")
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(client.get, f"/conversations/{number}")
        eventually(lambda: not dixa.faults.pending())
        dixa.reset()
        with pytest.raises(requests.ConnectionError):
            hung.result(30)
    assert dixa.make_conversation() == number
    assert client.get(f"/conversations/{number}").status_code == 200
    assert [each.call for each in dixa.calls] == ["conversation"]
    assert dixa.faults._timers == set()
    assert dixa.offers(number) == []
