"""Failed calls about different conversations mean an outage, and one claim at a time probes Dixa."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.dixa.client import DixaClient
from service.dixa.errors import DixaDown
from service.dixa.outage import Outage, RelayPace
from service.records.redis import connect
from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.server import Sandbox
from service.surveys.errors import CallError, NotNow, RetryLater
from service.surveys.ports import Deadline
from tests.dixa.paces import pace_of
from tests.harness import open_client
from tests.processes import free_port

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
FAILURES, RESPONSES = 5, 3
"""The failures that begin an outage, and the responses that end it."""

Break = Callable[[Sandbox], object]
BREAKS: dict[str, tuple[Break, Break]] = {
    "returns 500": (lambda dixa: dixa.outage(500), Sandbox.outage_is_over),
    "returns 503": (lambda dixa: dixa.outage(503), Sandbox.outage_is_over),
    "returns 200 to all": (lambda dixa: dixa.outage(200), Sandbox.outage_is_over),
    "hangs up": (lambda dixa: dixa.outage(None), Sandbox.outage_is_over),
    "refuses connections": (Sandbox.stop, Sandbox.start),
    "is silent": (lambda dixa: dixa.hangs(30, 100), lambda dixa: dixa.faults.clear()),
}
"""Kinds of outages: the beginning and the end."""


def query(client: DixaClient, number: int, seconds: float = 0.5) -> type[CallError] | None:
    """Query a conversation, like a claim of its survey. Return the kind of error."""
    deadline = Deadline(timedelta(seconds=seconds), number)
    try:
        client.conversation(client.take_slot(deadline, SECOND), number)
    except CallError as error:
        return type(error)
    return None


def allow_probe(client: redis.Redis, prefix: str) -> None:
    """Let the next claim probe without waiting for the interval."""
    client.delete(f"{prefix}dixa:probe")


@pytest.fixture
def numbers(dixa: Sandbox) -> list[int]:
    return [dixa.make_conversation() for _ in range(8)]


@pytest.fixture
def outage(redis_client: redis.Redis, prefix: str) -> Outage:
    """Its probe interval never ends by itself in a test."""
    return Outage(redis_client, probe_interval=MINUTE, prefix=prefix)


@pytest.fixture
def client(dixa: Sandbox, redis_client: redis.Redis, prefix: str, outage: Outage) -> DixaClient:
    made = open_client(dixa, redis_client, prefix)
    made._outage = outage
    return made


@pytest.mark.parametrize("breaks", BREAKS)
def test_one_claim_probes_and_the_others_make_no_call(
    client: DixaClient, dixa: Sandbox, redis_client: redis.Redis, prefix: str, numbers: list[int], breaks: str
) -> None:
    begin, end = BREAKS[breaks]
    with capture_logs() as logs:
        begin(dixa)
        found = [query(client, number) for number in numbers[:FAILURES]]
        assert found.count(DixaDown) == 1
        assert found[-1] is DixaDown
        seen = len(dixa.calls)
        assert {query(client, number) for number in numbers} == {DixaDown}
        # One has probed and failed.
        assert len(dixa.calls) <= seen + 1
        end(dixa)
        seen = len(dixa.calls)
        assert query(client, numbers[0]) is DixaDown
        assert len(dixa.calls) == seen
        allow_probe(redis_client, prefix)
        assert [query(client, number, 30) for number in numbers] == [None] * len(numbers)
        assert len(dixa.calls) == seen + len(numbers) + RESPONSES
    assert [each["event"] for each in logs] == ["dixa.down", "dixa.recovered"]


def test_one_conversation_that_always_fails_is_no_outage(client: DixaClient, dixa: Sandbox, numbers: list[int]) -> None:
    dixa.inject(Fault(Kind.FAILS, 100, status=500, conversation=numbers[0]))
    assert DixaDown not in {query(client, numbers[0]) for _ in range(20)}
    assert query(client, numbers[1]) is None


def test_failures_with_a_success_between_are_no_outage(client: DixaClient, dixa: Sandbox, numbers: list[int]) -> None:
    good = dixa.make_conversation()
    for number in numbers:
        dixa.inject(Fault(Kind.FAILS, 100, status=500, conversation=number))
    for round_ in range(4):
        found = [query(client, each) for each in (*numbers[: FAILURES - 1], good)]
        assert (found[-1], DixaDown in found) == (None, False), round_


def test_a_success_of_another_process_ends_a_row_of_failures(
    client: DixaClient, dixa: Sandbox, redis_client: redis.Redis, prefix: str, numbers: list[int]
) -> None:
    other, good = open_client(dixa, redis_client, prefix), dixa.make_conversation()
    for number in numbers:
        dixa.inject(Fault(Kind.FAILS, 100, status=500, conversation=number))
    assert [query(client, each) for each in numbers[: FAILURES - 1]] == [RetryLater] * (FAILURES - 1)
    assert query(other, good) is None
    assert query(client, numbers[FAILURES - 1]) is RetryLater


def test_a_call_costs_one_script_while_no_failure_is_on_record(
    client: DixaClient, dixa: Sandbox, redis_client: redis.Redis, numbers: list[int]
) -> None:
    def count_scripts() -> int:
        calls: int = redis_client.info("commandstats")["cmdstat_evalsha"]["calls"]
        return calls

    # A script that this Redis has never run counts twice.
    dixa.fails(1, 500)
    for number in numbers[:2]:
        query(client, number)
    before = count_scripts()
    for number in numbers:
        query(client, number)
    assert count_scripts() - before == len(numbers)
    # Only the next call knows of this failure, counts its response, and ends the row.
    dixa.fails(1, 500)
    query(client, numbers[0])
    before = count_scripts()
    for number in numbers:
        query(client, number)
    assert count_scripts() - before == len(numbers) + 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429])
def test_a_refusal_is_no_outage(client: DixaClient, dixa: Sandbox, numbers: list[int], status: int) -> None:
    for number in numbers:
        dixa.inject(Fault(Kind.FAILS, 100, status=status, retry_after=0, conversation=number))
    assert DixaDown not in {query(client, number, 5) for number in numbers}


def test_a_broken_conversation_does_not_prolong_an_outage(
    client: DixaClient, dixa: Sandbox, redis_client: redis.Redis, prefix: str, numbers: list[int]
) -> None:
    """After a failed probe another conversation is probed next."""
    dixa.outage()
    for number in numbers:
        query(client, number)
    dixa.outage_is_over()
    dixa.inject(Fault(Kind.FAILS, 100, status=500, conversation=numbers[0]))
    waits = []
    for number in numbers[:2]:
        allow_probe(redis_client, prefix)
        try:
            client.take_slot(Deadline(5 * SECOND, number), SECOND)
        except NotNow as error:
            waits.append(error.retry_in)
    assert waits == [2 * MINUTE]
    assert query(client, numbers[2]) is None


def test_the_probe_of_a_crashed_worker_expires(
    client: DixaClient, dixa: Sandbox, outage: Outage, redis_client: redis.Redis, prefix: str, numbers: list[int]
) -> None:
    dixa.outage()
    for number in numbers:
        query(client, number)
    assert outage.begin_probe() is not None
    assert 0 < redis_client.pttl(f"{prefix}dixa:probe") <= 60_000


def test_the_relay_queues_one_probe_during_an_outage(outage: Outage, redis_client: redis.Redis, prefix: str) -> None:
    pace = RelayPace(pace_of(redis_client, prefix, rate=100, burst=100), outage)
    assert pace.count_free(SECOND)[0] > 50
    for number in range(FAILURES):
        outage.count_failure(number, "Dixa returned 503")
    assert pace.count_free(SECOND) == [1]
    assert outage.begin_probe() == timedelta()
    assert pace.count_free(SECOND) == [0]
    for _ in range(RESPONSES - 1):
        outage.count_response()
        assert pace.count_free(SECOND) == [1]
    outage.count_response()
    assert pace.count_free(SECOND)[0] > 50


def test_recovery_reports_the_failed_conversations_once(redis_client: redis.Redis, prefix: str) -> None:
    reported: list[Collection[int]] = []
    outage = Outage(redis_client, on_recovery=reported.append, prefix=prefix)
    for number in range(FAILURES):
        outage.count_failure(number, "Dixa returned 503")
    for _ in range(2 * RESPONSES):
        outage.count_response()
    assert [sorted(each) for each in reported] == [[0, 1, 2, 3, 4]]


def test_downtime_sums_all_outages(outage: Outage, redis_client: redis.Redis, prefix: str) -> None:
    now = datetime.now(UTC)
    for began, ended in ((50, 40), (30, 10)):
        at = [(now - timedelta(minutes=each)).timestamp() * 1000 for each in (began, ended)]
        redis_client.zadd(f"{prefix}dixa:outages", {f"{at[0]:.0f}": at[1]})
    redis_client.set(f"{prefix}dixa:down", f"{(now - timedelta(minutes=5)).timestamp() * 1000:.0f}")
    for since, lost in ((60, 35), (45, 30), (35, 25), (20, 15), (7, 5), (2, 2)):
        assert round(outage.downtime(now - timedelta(minutes=since)) / timedelta(minutes=1)) == lost, since
    redis_client.delete(f"{prefix}dixa:down")
    assert outage.downtime(now - timedelta(minutes=20)) <= timedelta(minutes=10, seconds=1)


def test_short_outages_are_not_kept_and_the_oldest_are_dropped(
    outage: Outage, redis_client: redis.Redis, prefix: str
) -> None:
    """If a quarter of all calls fails, five in a row fail now and then."""
    past = f"{prefix}dixa:outages"
    now = datetime.now(UTC).timestamp() * 1000
    redis_client.zadd(past, {f"{now - 60_000 * each:.0f}": now - 60_000 * each + 1 for each in range(1, 1001)})
    for seconds, oldest in ((2, 1000), (20, 999)):
        redis_client.set(f"{prefix}dixa:down", f"{now - 1000 * seconds:.0f}")
        for _ in range(RESPONSES):
            outage.count_response()
        assert redis_client.zcard(past) == 1000
        (member,) = redis_client.zrange(past, 0, 0)
        assert int(str(member)) == round(now - 60_000 * oldest)
    assert redis_client.pttl(past) > 0


def test_an_unstable_dixa_stays_down(redis_client: redis.Redis, prefix: str) -> None:
    """Otherwise five more surveys would fail after each good response, with growing pauses."""
    reported: list[Collection[int]] = []
    outage = Outage(redis_client, on_recovery=reported.append, prefix=prefix)
    with capture_logs() as logs:
        for number in range(FAILURES):
            outage.count_failure(number, "Dixa returned 503")
        for _ in range(10):
            for _ in range(RESPONSES - 1):
                # The next probe may begin at once.
                assert outage.begin_probe() == timedelta()
                outage.count_response()
            assert outage.begin_probe() == timedelta()
            assert outage.count_failure(FAILURES, "Dixa returned 503")
            assert outage.begin_probe()
            redis_client.delete(f"{prefix}dixa:probe")
        assert reported == []
        for _ in range(RESPONSES):
            outage.count_response()
    assert [sorted(each) for each in reported] == [[*range(FAILURES)]]
    assert [each["event"] for each in logs] == ["dixa.down", "dixa.recovered"]


def test_no_outage_is_recorded_without_redis() -> None:
    outage = Outage(connect(f"redis://127.0.0.1:{free_port()}/0"), prefix="none:")
    assert outage.count_failure(1, "Dixa returned 503") is None
    outage.count_response()
    assert (outage.begin_probe(), outage.down_since()) == (None, None)
    assert outage.downtime(datetime.now(UTC)) == timedelta()
