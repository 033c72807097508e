"""Connections to Redis: few, closed when idle, and replaced after a cut or a failover."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pytest
import redis

from service.queue import check_connection, make_app
from service.records import redis_pool
from service.records.redis import Breaker, RecordsRefused, Store, connect
from service.records.redis_pool import (
    MAX_CONNECTIONS,
    WEB_CONNECTIONS,
    WORKER_CONNECTIONS,
    ConnectionOutdatedError,
)
from tests.fronts import Front, front
from tests.polling import eventually
from tests.processes import RedisServer

WRITE = "return redis.call('SET', KEYS[1], ARGV[1])"


class Pair(NamedTuple):
    """A primary, its replica, and a front connected to one of them."""

    primary: redis.Redis
    replica: redis.Redis
    front: Front

    def fail_over(self) -> None:
        """Swap the primary and its replica, and lead the host name to the new primary."""
        self.demote()
        self.front.lead_to(port_of(self.replica))

    def demote(self) -> None:
        self.replica.replicaof("NO", "ONE")
        self.primary.replicaof("127.0.0.1", port_of(self.replica))


def port_of(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    servers = [RedisServer(tmp_path / name) for name in ("one", "two")]
    for name, server in zip(("one", "two"), servers, strict=True):
        (tmp_path / name).mkdir()
        server.start()
    primary, replica = (redis.Redis(port=server.port) for server in servers)
    replica.replicaof("127.0.0.1", servers[0].port)
    eventually(lambda: replica.info("replication")["master_link_status"] == "up")
    with front(servers[0].port) as opened:
        yield Pair(primary, replica, opened)
    for server in servers:
        server.stop()


@pytest.fixture
def client(pair: Pair) -> Iterator[redis.Redis]:
    """A client with as many connections open as it may have."""
    opened = connect(url_of(pair))
    opened.connection_pool.connection_kwargs["socket_timeout"] = 20
    pool = opened.connection_pool
    for each in [pool.get_connection() for _ in range(MAX_CONNECTIONS)]:
        pool.release(each)
    yield opened
    opened.close()


def url_of(pair: Pair) -> str:
    return f"redis://127.0.0.1:{pair.front.port}/0"


def write(client: redis.Redis) -> object:
    return client.set("key", "written")


def write_by_script(client: redis.Redis) -> object:
    return client.register_script(WRITE)(keys=["key"], args=["written"])


def read(client: redis.Redis) -> object:
    return client.get("key")


def in_a_pipeline(client: redis.Redis) -> object:
    pipeline = client.pipeline(transaction=False)
    pipeline.set("key", "written")
    return pipeline.execute()


def in_a_transaction(client: redis.Redis) -> object:
    pipeline = client.pipeline()
    pipeline.set("key", "written")
    pipeline.set("other", "written")
    return pipeline.execute()


@pytest.mark.parametrize("command", [write, write_by_script, in_a_pipeline, in_a_transaction])
def test_no_command_fails_or_reads_old_data_after_a_failover(pair: Pair, client: redis.Redis, command: object) -> None:
    client.register_script(WRITE)(keys=["key"], args=["before"])
    pair.fail_over()
    assert callable(command)
    assert command(client)
    pair.primary.replicaof("127.0.0.1", 1)
    pair.replica.set("key", "newer")
    with ThreadPoolExecutor(MAX_CONNECTIONS) as threads:
        assert set(threads.map(lambda _: client.get("key"), range(50))) == {"newer"}
    eventually(lambda: pair.front.open_connections <= MAX_CONNECTIONS)


@pytest.mark.parametrize("command", [write, write_by_script, read])
def test_a_replica_without_its_primary_is_abandoned(pair: Pair, client: redis.Redis, command: object) -> None:
    """The replica responds MASTERDOWN, even to reads."""
    pair.primary.config_set("replica-serve-stale-data", "no")
    pair.primary.replicaof("127.0.0.1", 1)
    pair.replica.replicaof("NO", "ONE")
    pair.replica.set("key", "there")
    pair.front.lead_to(port_of(pair.replica))
    assert callable(command)
    assert command(client)


def test_a_connection_in_use_at_a_failover_is_closed_after_its_command(pair: Pair, client: redis.Redis) -> None:
    pool = client.connection_pool
    used = pool.get_connection()
    pair.fail_over()
    write(client)
    pool.release(used)
    assert not used.is_connected


def test_a_host_name_of_a_replica_is_resolved_each_time(pair: Pair, client: redis.Redis) -> None:
    breaker = Breaker()
    store = Store(client, breaker=breaker)
    pair.demote()
    for _ in range(3):
        with pytest.raises(RecordsRefused, match="ReadOnlyError"):
            store.ping()
        assert breaker.is_open
    pair.front.lead_to(port_of(pair.replica))
    store.ping()
    assert not breaker.is_open


@pytest.mark.parametrize("command", [write, write_by_script, in_a_pipeline, in_a_transaction])
def test_a_host_name_of_a_replica_fails_each_command(pair: Pair, client: redis.Redis, command: object) -> None:
    """Any other error, such as a read from the closed connection, would end a worker."""
    pair.demote()
    assert callable(command)
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="read only replica"):
            command(client)
    pair.front.lead_to(port_of(pair.replica))
    assert command(client)


def test_the_queue_follows_a_failover(pair: Pair) -> None:
    app = make_app(url_of(pair))
    check_connection(app)
    pair.fail_over()
    check_connection(app)


def test_a_silently_cut_connection_fails_no_command(pair: Pair) -> None:
    client = connect(url_of(pair))
    breaker = Breaker()
    store = Store(client, breaker=breaker)
    store.ping()
    pair.front.forget()
    store.ping()
    assert not breaker.is_open
    client.close()


def test_a_silent_server_gets_no_third_try(pair: Pair) -> None:
    client = connect(url_of(pair))
    client.ping()
    pool = client.connection_pool
    opened: list[object] = []
    make = pool.connection_class.connect_check_health

    def count(connection: object, **kwargs: object) -> object:
        if not getattr(connection, "is_connected", False):
            opened.append(connection)
        return make(connection, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool.connection_class, "connect_check_health", count)
        pair.primary.client_pause(60_000)
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)) as caught:
            client.ping()
        assert not isinstance(caught.value, ConnectionOutdatedError)
        assert len(opened) == 1
    client.close()


def test_many_threads_share_a_few_connections(pair: Pair) -> None:
    client = connect(url_of(pair))
    client.connection_pool.connection_kwargs["socket_timeout"] = 20
    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(lambda number: client.set(f"key-{number}", 1), range(500)))
    assert pair.front.open_connections <= MAX_CONNECTIONS
    client.close()


def test_idle_connections_are_closed(pair: Pair, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pair.front.open_connections == MAX_CONNECTIONS
    client.ping()
    assert pair.front.open_connections == MAX_CONNECTIONS
    monkeypatch.setattr(redis_pool, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(client.connection_pool, "_sweep_at", 0.0)
    client.ping()
    eventually(lambda: pair.front.open_connections == 0)
    assert client.ping()


def test_a_connection_is_closed_after_thirty_idle_seconds(
    pair: Pair, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command looks for idle connections, every five seconds at most."""
    pool, began = client.connection_pool, monotonic()

    def pass_time(seconds: float) -> None:
        monkeypatch.setattr(redis_pool, "monotonic", lambda: began + seconds)

    pass_time(0)
    for each in [pool.get_connection() for _ in range(MAX_CONNECTIONS)]:
        pool.release(each)
    for seconds in (29.9, 34.8):
        pass_time(seconds)
        client.ping()
        assert connected(pool) == MAX_CONNECTIONS
    pass_time(35)
    client.ping()
    assert connected(pool) == 1
    eventually(lambda: pair.front.open_connections == 1)


def connected(pool: Any) -> int:
    return sum(each.is_connected for each in pool.pool.queue if each)


def test_the_procfile_needs_eleven_connections(own_redis: RedisServer) -> None:
    """docs/getting-started.md gives these numbers."""
    client = connect(own_redis.url)
    client.config_set("maxclients", 11)
    assert Store(client).risks() == []
    client.config_set("maxclients", 10)
    (found,) = Store(client).risks()
    assert "takes 10 connections, and Afterword may need 11" in found.problem
    assert (WEB_CONNECTIONS, WORKER_CONNECTIONS) == (2, 7)
    client.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
def test_a_lost_command_is_not_sent_again_for_minutes(client: redis.Redis) -> None:
    """The kernel would, even after the connection is closed: an answer would arrive after a later one."""
    connection: Any = client.connection_pool.get_connection()
    assert connection._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2_000
    client.connection_pool.release(connection)
