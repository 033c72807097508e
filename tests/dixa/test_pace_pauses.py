"""Pauses of all tokens after a 429, also while the clock of Redis steps back."""

from datetime import timedelta
from itertools import pairwise

import pytest
import redis

from service.dixa.pace import SharedPace
from service.surveys.ports import Deadline
from tests.dixa.paces import SECOND, Grants, pace_of, refused_for


def test_a_pause_leaves_no_slot_free(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=1000, burst=100)
    pace.pause(30 * SECOND)
    assert pace.count_free(SECOND) == [0]


def test_a_pause_applies_to_all_processes_and_tokens(redis_client: redis.Redis, prefix: str) -> None:
    pace_of(redis_client, prefix, tokens=1).pause(30 * SECOND)
    another = pace_of(redis_client, prefix, rate=1000, burst=100, tokens=2)
    assert 20 * SECOND < refused_for(another) <= 30 * SECOND


def test_slots_after_a_pause_have_no_burst(redis_client: redis.Redis, prefix: str) -> None:
    grants = Grants(redis_client, prefix, rate=10, burst=4)
    pace_of(redis_client, prefix).pause(timedelta(milliseconds=500))
    grants.count()
    ((times),) = grants.times.values()
    gaps = [later[1] - earlier[0] for earlier, later in pairwise(times)]
    assert min(gaps) > 0.09


def test_a_shorter_pause_does_not_end_a_longer_pause(redis_client: redis.Redis, prefix: str) -> None:
    """Two calls in flight got a 429: one with a Retry-After, one without."""
    pace = pace_of(redis_client, prefix)
    pace.pause(30 * SECOND)
    pace.pause(2 * SECOND)
    assert refused_for(pace) > 20 * SECOND


def test_a_pause_lasts_five_minutes_at_most(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(timedelta(days=1))
    assert refused_for(pace) <= timedelta(minutes=5)


def set_keys_ahead(client: redis.Redis, prefix: str, pace: SharedPace, **hours: float) -> None:
    """Write the keys as if Redis's clock had stepped back by `hours`."""
    seconds, _ = client.time()
    for key in pace._keys:
        kind = "pause" if key.endswith(":pause") else "arrival"
        if kind in hours:
            client.set(key, f"{(seconds + hours[kind] * 3600) * 1000:.3f}", px=7_200_000)


@pytest.mark.parametrize("ahead", [{"arrival": 1.0}, {"pause": 1.0}, {"arrival": 0.1, "pause": 1.0}])
def test_a_clock_stepping_back_stops_no_call(redis_client: redis.Redis, prefix: str, ahead: dict[str, float]) -> None:
    pace = pace_of(redis_client, prefix, tokens=2, burst=4)
    set_keys_ahead(redis_client, prefix, pace, **ahead)
    pace.take_slot(Deadline(SECOND), SECOND)
    assert all(redis_client.pttl(key) <= 2000 for key in pace._keys)


def test_a_small_step_of_the_clock_keeps_the_pause(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    set_keys_ahead(redis_client, prefix, pace, pause=0.08)
    assert 280 * SECOND < refused_for(pace) < 289 * SECOND


def test_a_pause_begun_after_the_clock_stepped_back_counts(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    set_keys_ahead(redis_client, prefix, pace, pause=1.0)
    pace.pause(30 * SECOND)
    assert 20 * SECOND < refused_for(pace) <= 30 * SECOND


def test_a_pause_of_zero_length_ends_at_once(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(timedelta())
    pace.take_slot(Deadline(SECOND), SECOND)
