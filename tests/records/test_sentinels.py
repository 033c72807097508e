"""Redis Sentinel: clients find the primary, follow it after a failover, and never wait long for a sentinel."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.connection import SSLConnection

from config.redis_urls import find_sentinels
from service.queue import check_connection, make_app
from service.records.redis import RecordsUnavailable, Store, connect
from service.records.redis_pool import MAX_CONNECTIONS
from tests.polling import eventually, soon
from tests.processes import free_port
from tests.sentinels import NAME, Watched, watched

PASSWORD = "p@ss/w:rd%41"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched")) as started:
        yield started


@pytest.fixture
def client(nodes: Watched) -> Iterator[redis.Redis]:
    """Return a client with as many connections to the primary as it may have."""
    eventually(nodes.is_settled)
    opened = connect(nodes.url)
    opened.connection_pool.connection_kwargs["socket_timeout"] = 20
    pool = opened.connection_pool
    for each in [pool.get_connection() for _ in range(MAX_CONNECTIONS)]:
        pool.release(each)
    yield opened
    opened.close()


def port_of(client: redis.Redis) -> int:
    return int(client.config_get("port")["port"] or 0)


def test_a_command_is_sent_again_to_the_new_primary(nodes: Watched, client: redis.Redis) -> None:
    store = Store(client)
    store._failed_at = -inf
    before = nodes.fail_over()
    assert port_of(client) == nodes.primary().port != before.port
    assert store.is_recovering(HOUR), "another process may have spooled an answer meanwhile"
    assert client.set("key", "after")
    check_connection(make_app(nodes.url))
    nodes.bring_back(before)


def test_a_primary_that_became_a_replica_is_left_by_all_connections(nodes: Watched, client: redis.Redis) -> None:
    pool: Any = client.connection_pool
    used = pool.get_connection()
    nodes.hand_over()
    assert client.set("key", "after")
    pool.release(used)
    assert client.get("key") == "after"
    assert {each.port for each in pool._connections if each.is_connected} == {nodes.primary().port}


def test_without_a_failover_nobody_waits_for_a_spool(client: redis.Redis) -> None:
    store = Store(client)
    store._failed_at = -inf
    client.connection_pool.disconnect()
    assert client.set("key", "there")
    assert not store.is_recovering(HOUR)


@pytest.mark.parametrize("broken", [1, 2])
def test_sentinels_that_are_away_are_passed_over(nodes: Watched, broken: int) -> None:
    away = ",".join(f"127.0.0.1:{free_port()}" for _ in range(broken))
    working = connect(nodes.url.replace("//", f"//{away},"))
    assert port_of(working) == nodes.primary().port
    working.close()


def test_frozen_sentinels_delay_a_command_by_a_second_at_most(nodes: Watched) -> None:
    for each in nodes.sentinels:
        each.freeze()
    waiting = connect(nodes.url)

    def give_up() -> None:
        with suppress(RecordsUnavailable):
            Store(waiting).ping()
            raise AssertionError("nobody could tell the address")

    try:
        # redis-py's own retries would take more than ten.
        soon(give_up, within=5)
    finally:
        for each in nodes.sentinels:
            each.thaw()
        waiting.close()


def test_an_unknown_name_is_reported(nodes: Watched) -> None:
    other = connect(nodes.url.replace(NAME, "other"))
    with pytest.raises(RecordsUnavailable, match="no sentinel knows a working primary of that name"):
        Store(other).ping()
    other.close()


def test_sentinels_and_redis_have_passwords_of_their_own(tmp_path: Path) -> None:
    with watched(tmp_path, password=PASSWORD) as guarded:
        login, own = "p%40ss%2Fw%3Ard%2541", "sentinel_password=p%40ss%2Fw%3Ard%2541"
        with redis.Redis(port=guarded.primary().port) as admin:
            admin.acl_setuser("web", enabled=True, passwords=[f"+{PASSWORD}"], keys="*", commands=["+@all"])
        url = guarded.url.replace("//", f"//web:{login}@")
        opened = connect(f"{url}?{own}")
        assert opened.acl_whoami() == "web"
        check_connection(make_app(f"{url}?{own}"))
        opened.close()
        refused = connect(url)
        with pytest.raises(RecordsUnavailable, match="no sentinel knows"):
            Store(refused).ping()
        refused.close()


def test_tls_is_used_for_redis_and_for_the_sentinels() -> None:
    url = "sentinels://web:secret@a:1,[::1]:2,c/mymaster/3?ssl_check_hostname=false&sentinel_password=other&protocol=2"
    found = find_sentinels(url)
    assert found
    assert found.primary_url == "rediss://web:secret@mymaster/3?ssl_check_hostname=false&protocol=2"
    assert found.urls == tuple(
        f"rediss://:other@{each}/0?ssl_check_hostname=false&protocol=2" for each in ("a:1", "[::1]:2", "c:26379")
    )
    pool: Any = connect(url).connection_pool
    assert issubclass(pool.connection_class, SSLConnection)
    pools = [each.connection_pool for each in pool._primary._manager.sentinels]
    assert all(issubclass(each.connection_class, SSLConnection) for each in pools)
    assert "secret" not in repr(found)
    assert "other" not in repr(found)
