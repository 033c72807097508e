"""Risks of losing acknowledged writes are found from Redis's own reports."""

from datetime import timedelta
from pathlib import Path

import pytest
import redis

from service.records.records import Records
from service.records.redis_check import find_risks, find_saving
from tests.processes import RedisServer, cluster_node, patient

GB = 1 << 30
SAFE = {
    "redis_version": "7.2.4",
    "role": "master",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 1000,
    "maxmemory_policy": "noeviction",
    "used_memory": 100,
    "total_system_memory": 8 * GB,
}


def test_a_safe_redis_has_no_problem() -> None:
    assert not [*map(str, find_risks(SAFE, "always"))]


PROBLEMS: list[tuple[dict[str, object], str]] = [
    ({"redis_version": "6.0.16"}, "too old"),
    ({"redis_version": "5.9"}, "too old"),
    ({"role": "slave"}, "its primary"),
    ({"redis_mode": "cluster"}, "one primary"),
    ({"cluster_enabled": 1}, "one primary"),
    ({"aof_enabled": 0}, "appendonly yes"),
    ({"aof_last_write_status": "err"}, "its disk"),
    ({"maxmemory_policy": "allkeys-lru"}, "noeviction"),
    ({"maxmemory_policy": "volatile-lru"}, "noeviction"),
    ({"maxmemory_policy": None}, "noeviction"),
    ({"used_memory": 950}, "95 % of its maxmemory"),
    ({"maxmemory": 0, "used_memory": 6 * GB, "total_system_memory": 6 * GB}, "100 % of its machine's memory"),
]


@pytest.mark.parametrize(("info", "word"), PROBLEMS)
def test_each_problem_is_reported_with_its_remedy(info: dict[str, object], word: str) -> None:
    found = [*map(str, find_risks(SAFE | info, "always"))]
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(("info", "word"), PROBLEMS)
def test_each_problem_is_reported_without_config_get(info: dict[str, object], word: str) -> None:
    found, hidden = map(str, find_risks(SAFE | info, None))
    assert word in found
    assert "CONFIG GET is forbidden" in hidden


def test_too_few_connections_are_reported_before_their_use() -> None:
    limited = SAFE | {"maxclients": 20, "connected_clients": 3}
    assert not [*map(str, find_risks(limited, "always", 20))]
    (found,) = map(str, find_risks(limited, "always", 21))
    assert "takes 20 connections, and Afterword may need 21" in found


@pytest.mark.parametrize(("connected", "is_reported"), [(36, False), (37, True)])
def test_used_up_connections_are_reported(connected: int, *, is_reported: bool) -> None:
    found = [*map(str, find_risks(SAFE | {"maxclients": 40, "connected_clients": connected}, "always", 19))]
    assert ["37 of the 40 connections" in each for each in found] == [True] * is_reported


def test_appendfsync_everysec_is_reported() -> None:
    (found,) = map(str, find_risks(SAFE, "everysec"))
    assert "set appendfsync always" in found


def test_an_eviction_policy_without_a_limit_is_safe() -> None:
    assert not [*map(str, find_risks(SAFE | {"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, "always"))]
    unlimited = {name: value for name, value in SAFE.items() if name != "maxmemory"}
    assert not [*map(str, find_risks(unlimited | {"maxmemory_policy": "allkeys-lru"}, "always"))]


def test_redis_6_2_is_new_enough() -> None:
    assert not [*map(str, find_risks(SAFE | {"redis_version": "6.2.0"}, "always"))]


@pytest.mark.parametrize(
    "info", [{"used_memory": 900}, {"maxmemory": 0, "used_memory": 900, "total_system_memory": 1000}]
)
def test_a_tenth_of_free_memory_is_enough(info: dict[str, object]) -> None:
    assert not [*map(str, find_risks(SAFE | info, "always"))]


def test_a_forbidden_info_command_is_reported() -> None:
    missing, hidden = map(str, find_risks({}, None))
    assert "INFO is forbidden" in missing
    assert "CONFIG GET is forbidden" in hidden


def test_the_redis_of_the_tests_is_safe(records: Records) -> None:
    assert records.risks() == []


@pytest.mark.parametrize(
    ("keys", "limits", "saving"),
    [
        (10_000, {"hash-max-ziplist-value": "64", "hash-max-listpack-value": "64"}, "hash-max-listpack-value is 64: "),
        (10_000, {"hash-max-ziplist-value": "1023"}, "hash-max-ziplist-value is 1023: set it to 1024, "),
        (10_000, {"hash-max-ziplist-value": "1024"}, ""),
        (9_999, {"hash-max-ziplist-value": "64"}, ""),
        (10_000, {}, ""),
    ],
)
def test_many_records_take_less_memory_in_a_compact_form(keys: int, limits: dict[str, str], saving: str) -> None:
    found = find_saving(SAFE | {"db0": {"keys": keys - 1}, "db3": {"keys": 1}}, limits)
    assert found.startswith(saving)
    assert bool(found) == bool(saving)


def test_this_redis_knows_the_limit(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records(patient(own_redis.url), lease=timedelta(minutes=1), keep=timedelta(days=1))
    monkeypatch.setattr("service.records.redis_check._MANY_KEYS", 0)
    assert not records.saving()
    records._redis.config_set("hash-max-ziplist-value", 64)
    assert "set it to 1024" in records.saving()


def test_a_redis_cluster_is_reported(tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server:
        (found,) = records_in(patient(server.url)).risks()
    assert "this is a Redis Cluster" in found.problem


def test_a_setting_with_binary_content_is_not_read(own_redis: RedisServer) -> None:
    """The response to `CONFIG GET *` contains passwords of any bytes."""
    client = patient(own_redis.url)
    client.config_set("masterauth", b"pa\xdfwort")
    assert records_in(client).risks() == []
    client.close()


@pytest.mark.parametrize(("denied", "words"), [("config", ["CONFIG GET"]), ("@dangerous", ["INFO", "CONFIG GET"])])
def test_a_forbidden_command_is_no_outage(own_redis: RedisServer, denied: str, words: list[str]) -> None:
    client = patient(own_redis.url)
    client.acl_setuser("web", enabled=True, nopass=True, keys="*", commands=["+@all", f"-{denied}"])
    found = records_in(patient(own_redis.url.replace("//", "//web:any@"))).risks()
    assert [each.problem.split(" is forbidden")[0] for each in found] == words
    client.close()


def records_in(client: redis.Redis) -> Records:
    return Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
