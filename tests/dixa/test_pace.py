"""All workers together keep the rate limit of Dixa, and Redis holds no token."""

from datetime import timedelta
from threading import Event

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.dixa.errors import NoSlot
from service.records.redis import connect
from service.surveys.ports import Deadline
from tests.dixa.paces import SECOND, TOKENS, Grants, pace_of
from tests.processes import free_port


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.floats(2, 60),
    burst=st.integers(1, 5),
    tokens=st.integers(1, 2),
    pauses=st.lists(st.integers(0, 40), max_size=4),
)
def test_no_window_exceeds_burst_and_rate(
    redis_client: redis.Redis, prefix: str, rate: float, burst: int, tokens: int, pauses: list[int]
) -> None:
    redis_client.delete(*redis_client.keys(f"{prefix}*"), f"{prefix}none")
    grants = Grants(redis_client, prefix, rate, burst, tokens)
    for pause in [0, *pauses]:
        Event().wait(pause / 1000)
        grants.count()
    for times in grants.times.values():
        for first, (earliest, _) in enumerate(times):
            for last in range(first, len(times)):
                window = times[last][1] - earliest
                assert last - first + 1 <= burst + rate * window + 0.001


@pytest.mark.parametrize(("rate", "burst"), [(10, 1), (9.9, 3), (50, 4), (5, 5)])
def test_a_second_has_as_many_slots_as_burst_and_rate_allow(
    redis_client: redis.Redis, prefix: str, rate: float, burst: int
) -> None:
    grants = Grants(redis_client, prefix, rate, burst)
    found = grants.count()
    [times] = grants.times.values()
    # The first slot is at once, the last up to a second away. Taking them takes time, so there are a few more.
    assert burst + rate - 1 <= found <= burst + rate * (times[-1][1] - times[0][0]) + 0.001


def test_two_tokens_double_the_pace(redis_client: redis.Redis, prefix: str) -> None:
    two = Grants(redis_client, prefix, 20, 4, tokens=2)
    assert two.count() >= 2 * (4 + 20 - 1)
    first, second = two.times.values()
    # Each token counts from its own first slot. On a slow machine the second one begins later and has fewer.
    apart = second[0][1] - first[0][0]
    assert abs(len(first) - len(second)) <= 1 + 20 * apart


def test_a_slot_beyond_max_wait_is_not_reserved(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=0.1)
    pace.take_slot(Deadline(SECOND), timedelta())
    keys = sorted(redis_client.keys(f"{prefix}*"))
    before = redis_client.mget(keys)
    for _ in range(20):
        with pytest.raises(NoSlot) as caught:
            pace.take_slot(Deadline(SECOND), timedelta(milliseconds=100))
        assert caught.value.retry_in is not None
        assert timedelta() < caught.value.retry_in <= timedelta(seconds=10)
    assert redis_client.mget(keys) == before


def test_the_first_slot_waits_at_most_a_second_and_not_beyond_the_deadline(
    redis_client: redis.Redis, prefix: str
) -> None:
    pace = pace_of(redis_client, prefix, rate=0.05)
    pace.take_slot(Deadline(SECOND), timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(Deadline(timedelta(minutes=1)), timedelta(minutes=1))
    quick = pace_of(redis_client, f"{prefix}quick:", rate=1.1)
    quick.take_slot(Deadline(SECOND), timedelta())
    with pytest.raises(NoSlot):
        quick.take_slot(Deadline(timedelta(milliseconds=20)), SECOND)


def test_begun_claims_get_slots_before_new_claims(redis_client: redis.Redis, prefix: str) -> None:
    """Otherwise each claim would spend its slot on the same first query, and none would finish."""
    pace = pace_of(redis_client, prefix, rate=0.5)
    begun = Deadline(timedelta(seconds=30))
    pace.take_slot(begun, timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(Deadline(timedelta(seconds=30)), SECOND)
    pace.take_slot(begun, timedelta())


def test_a_wait_for_a_later_slot_leaves_time_for_the_call(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=0.5)
    begun = Deadline(timedelta(seconds=6))
    pace.take_slot(begun, timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(begun, timedelta())


@pytest.mark.parametrize("tokens", [1, 2])
def test_free_slots_are_counted_and_not_taken(redis_client: redis.Redis, prefix: str, tokens: int) -> None:
    pace = pace_of(redis_client, prefix, rate=0.1, tokens=tokens)
    assert pace.count_free(timedelta(seconds=35)) == [3 * tokens + 1 + (tokens - 1)]
    assert redis_client.keys(f"{prefix}*") == []
    pace.take_slot(Deadline(SECOND), timedelta())
    assert pace.count_free(timedelta(seconds=35))[0] > 0
    for _ in range(tokens - 1):
        pace.take_slot(Deadline(SECOND), timedelta())
    assert pace.count_free(timedelta(seconds=5)) == [0]


def test_no_slot_and_no_error_without_redis() -> None:
    pace = pace_of(connect(f"redis://127.0.0.1:{free_port()}/0"), "none:")
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in == SECOND
    assert pace.count_free(SECOND) == [0]
    pace.pause(SECOND)
    assert pace.cooldown() is None


def test_keys_expire_and_contain_no_token(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=100, burst=2, tokens=2)
    for _ in range(6):
        pace.take_slot(Deadline(SECOND), SECOND)
    pace.pause(SECOND)
    keys = redis_client.keys(f"{prefix}*")
    assert len(keys) == 3
    for key in keys:
        assert not any(token in str((key, redis_client.get(key))) for token in TOKENS)
        assert 0 < redis_client.pttl(key) <= 5000
