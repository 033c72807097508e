"""Stops and their undos: whom they are for, what an undo takes back, and that the later of the two counts."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import redis

from service.records.opt_outs import HashedStops

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDA, SAME, BO = "requester-1", "requester-2", "requester-3"
ADDRESS = ("hash-of-an-address",)


@pytest.fixture
def stops(redis_client: redis.Redis, prefix: str) -> HashedStops:
    return HashedStops(redis_client, prefix=prefix)


def test_an_undo_takes_back_what_was_stopped_along(stops: HashedStops) -> None:
    stops.add(IDA, ADDRESS)
    assert stops.has(SAME, ADDRESS)
    assert stops.remove(IDA)
    assert not stops.has(IDA, ADDRESS)
    assert not stops.has(SAME, ADDRESS)
    assert not stops.remove(IDA)


def test_an_undo_is_of_the_person_and_leaves_another_requesters_own_stop(stops: HashedStops) -> None:
    stops.add(IDA, ADDRESS)
    stops.add(BO)
    assert stops.remove(SAME, ADDRESS)
    assert not stops.has(SAME, ADDRESS)
    assert stops.has(IDA)
    assert stops.has(BO)


@pytest.mark.parametrize("known", ["1", "{prefix}stopped:0123"])
def test_a_stop_of_an_older_version_can_be_undone(
    stops: HashedStops, redis_client: redis.Redis, prefix: str, known: str
) -> None:
    """It has no moment, and may name what was stopped along."""
    [mine] = stops._names(IDA, ())
    redis_client.mset({mine: known.format(prefix=prefix), f"{prefix}stopped:0123": "1"})
    stops.add(IDA)
    assert stops.remove(IDA)
    assert not stops.has(IDA)
    assert redis_client.exists(f"{prefix}stopped:0123") == (known == "1")


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("wishes", [(True, False, True), (False, True, False)])
def test_the_latest_wish_counts_in_whatever_order_they_come_home(
    stops: HashedStops, order: tuple[int, ...], wishes: tuple[bool, ...]
) -> None:
    for place in order:
        at = NOON + place * 2 * MINUTE
        (stops.add if wishes[place] else stops.remove)(IDA, ADDRESS, at=at)
    assert stops.has(IDA) is wishes[-1]
    assert stops.has(SAME, ADDRESS) is wishes[-1]


def test_what_is_wished_now_counts_although_a_fast_clock_dated_another_wish(stops: HashedStops) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)
    stops.remove(IDA, at=ahead)
    assert stops.add(IDA)
    assert stops.has(IDA)
    stops.add(IDA, at=ahead)
    assert stops.remove(IDA)
    assert not stops.has(IDA)


def test_a_repeat_changes_its_moment_alone(stops: HashedStops, redis_client: redis.Redis, prefix: str) -> None:
    def kept() -> dict[str, str]:
        names = redis_client.scan_iter(f"{prefix}*")
        return {name: str(redis_client.get(name)).lstrip("0123456789") for name in names}

    stops.add(IDA, ADDRESS)
    before = kept()
    stops.add(IDA, ADDRESS)
    assert kept() == before


def test_an_undo_from_between_two_stops_comes_too_late(stops: HashedStops) -> None:
    """It waited in a spool, while another process, which had Redis, took the stops: the second is no double click."""
    now = datetime.now(UTC)
    stops.add(IDA, ADDRESS, at=now - timedelta(seconds=20))
    stops.add(IDA, ADDRESS, at=now)
    assert not stops.remove(IDA, ADDRESS, at=now - timedelta(seconds=10))
    assert stops.has(IDA)


def test_an_undo_is_remembered_for_a_spool_and_not_for_good(
    stops: HashedStops, redis_client: redis.Redis, prefix: str
) -> None:
    stops.add(IDA)
    stops.remove(IDA)
    [name] = redis_client.scan_iter(f"{prefix}unstopped:*")
    assert timedelta(days=29) < timedelta(milliseconds=redis_client.pttl(name)) <= timedelta(days=30)
    stops.add(IDA)
    assert not redis_client.exists(name)
