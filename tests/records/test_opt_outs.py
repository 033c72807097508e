"""Opt-outs and opt-ins: the covered traits, and the order of requests."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import redis

from service.records.opt_outs import HashedOptOuts
from service.rules.identity import IdentityKind
from tests.processes import RedisServer

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDA, SAME, BO = "requester-1", "requester-2", "requester-3"
ADDRESS = ("hash-of-an-address",)


@pytest.fixture
def opt_outs(redis_client: redis.Redis, prefix: str) -> HashedOptOuts:
    return HashedOptOuts(redis_client, prefix=prefix)


def test_an_opt_in_covers_the_traits_opted_out_together(opt_outs: HashedOptOuts) -> None:
    opt_outs.add(IDA, ADDRESS)
    assert opt_outs.has(SAME, ADDRESS)
    assert opt_outs.remove(IDA)
    assert not opt_outs.has(IDA, ADDRESS)
    assert not opt_outs.has(SAME, ADDRESS)
    assert not opt_outs.remove(IDA)


def test_an_opt_in_leaves_the_opt_out_of_another_requester(opt_outs: HashedOptOuts) -> None:
    opt_outs.add(IDA, ADDRESS)
    opt_outs.add(BO)
    assert opt_outs.remove(SAME, ADDRESS)
    assert not opt_outs.has(SAME, ADDRESS)
    assert opt_outs.has(IDA)
    assert opt_outs.has(BO)


@pytest.mark.parametrize("known", ["1", "{prefix}stopped:0123"])
def test_an_opt_out_of_an_older_version_can_be_removed(
    opt_outs: HashedOptOuts, redis_client: redis.Redis, prefix: str, known: str
) -> None:
    """An older opt-out has no time, and may name other traits."""
    [mine] = opt_outs._names(IDA, ())
    redis_client.mset({mine: known.format(prefix=prefix), f"{prefix}stopped:0123": "1"})
    opt_outs.add(IDA)
    assert opt_outs.remove(IDA)
    assert not opt_outs.has(IDA)
    assert redis_client.exists(f"{prefix}stopped:0123") == (known == "1")


def test_opt_outs_are_found_with_their_times(opt_outs: HashedOptOuts, redis_client: redis.Redis, prefix: str) -> None:
    assert opt_outs.find([IDA]) == {}
    assert list(redis_client.scan_iter(f"{prefix}*")) == []
    opt_outs.add(IDA, at=NOON)
    opt_outs.add(SAME, at=NOON + MINUTE)
    redis_client.mset({opt_outs._names(BO, ())[0]: "1"})
    assert opt_outs.find([IDA, SAME, BO, "requester-4"]) == {IDA: NOON, SAME: NOON + MINUTE, BO: None}
    assert opt_outs.find([]) == {}
    for order in permutations([IDA, SAME, BO]):
        found = opt_outs.find_by_kind(dict.fromkeys(order, IdentityKind.EMAIL))
        assert found == {IdentityKind.EMAIL: NOON + MINUTE}


@pytest.mark.parametrize("order", [*permutations(range(3))])
@pytest.mark.parametrize("requests", [(True, False, True), (False, True, False)])
def test_the_latest_request_counts_in_any_order_of_arrival(
    opt_outs: HashedOptOuts, order: tuple[int, ...], requests: tuple[bool, ...]
) -> None:
    for place in order:
        at = NOON + place * 2 * MINUTE
        (opt_outs.add if requests[place] else opt_outs.remove)(IDA, ADDRESS, at=at)
    assert opt_outs.has(IDA) is requests[-1]
    assert opt_outs.has(SAME, ADDRESS) is requests[-1]


def test_a_request_now_replaces_a_request_dated_in_the_future(opt_outs: HashedOptOuts) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)
    opt_outs.remove(IDA, at=ahead)
    assert opt_outs.add(IDA)
    assert opt_outs.has(IDA)
    opt_outs.add(IDA, at=ahead)
    assert opt_outs.remove(IDA)
    assert not opt_outs.has(IDA)


def test_a_repeated_opt_out_changes_only_its_time(
    opt_outs: HashedOptOuts, redis_client: redis.Redis, prefix: str
) -> None:
    def kept() -> dict[str, str]:
        names = redis_client.scan_iter(f"{prefix}*")
        return {name: str(redis_client.get(name)).lstrip("0123456789") for name in names}

    opt_outs.add(IDA, ADDRESS)
    before = kept()
    opt_outs.add(IDA, ADDRESS)
    assert kept() == before


def test_a_late_opt_in_between_two_opt_outs_is_ignored(opt_outs: HashedOptOuts) -> None:
    """The opt-in waited in a spool while another process wrote both opt-outs to Redis."""
    now = datetime.now(UTC)
    opt_outs.add(IDA, ADDRESS, at=now - timedelta(seconds=20))
    opt_outs.add(IDA, ADDRESS, at=now)
    assert not opt_outs.remove(IDA, ADDRESS, at=now - timedelta(seconds=10))
    assert opt_outs.has(IDA)


def test_an_opt_in_is_kept_for_thirty_days(opt_outs: HashedOptOuts, redis_client: redis.Redis, prefix: str) -> None:
    opt_outs.add(IDA)
    opt_outs.remove(IDA)
    [name] = redis_client.scan_iter(f"{prefix}unstopped:*")
    assert timedelta(days=29) < timedelta(milliseconds=redis_client.pttl(name)) <= timedelta(days=30)
    opt_outs.add(IDA)
    assert not redis_client.exists(name)


def test_no_opt_out_is_found_for_other_requesters(opt_outs: HashedOptOuts) -> None:
    assert opt_outs.find([IDA]) == {}
    opt_outs.add(IDA)
    assert opt_outs.find([]) == {}
    opt_outs.add(BO, at=NOON)
    assert opt_outs.find([BO, "nobody"]) == {BO: NOON}
    assert list(opt_outs.find([SAME, IDA])) == [IDA]


class SlowClient(redis.Redis):
    """A client in a race: its first GET misses the hash key that another process creates at the same moment."""

    has_missed = False

    def get(self, name: Any) -> Any:
        if self.has_missed:
            return super().get(name)
        self.has_missed = True
        return None


def test_simultaneous_processes_use_one_hash_key(
    opt_outs: HashedOptOuts, redis_server: RedisServer, prefix: str
) -> None:
    opt_outs.add(IDA)
    client = SlowClient(port=redis_server.port, decode_responses=True)
    HashedOptOuts(client, prefix=prefix).add(BO)
    assert opt_outs.has(IDA)
    assert opt_outs.has(BO)
    client.close()


def test_the_hash_key_has_256_bits(opt_outs: HashedOptOuts, redis_client: redis.Redis, prefix: str) -> None:
    opt_outs.add(IDA)
    assert len(bytes.fromhex(str(redis_client.get(f"{prefix}stop_key")))) * 8 == 256
