"""`afterword doctor` names what a failover loses, a missing replica and missing sentinels. Each remedy mends it."""

from collections.abc import Iterator

import pytest
import redis

from tests.cli.conftest import Runner
from tests.polling import eventually
from tests.processes import free_port
from tests.replicas import Pair, pair
from tests.sentinels import watched


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as started:
        yield started


@pytest.fixture
def primary(servers: Pair) -> Iterator[redis.Redis]:
    with redis.Redis(port=servers.primary.port) as client:
        client.config_set("min-replicas-to-write", 1)
        yield client
        client.config_set("min-replicas-to-write", 0)


@pytest.fixture
def replica(servers: Pair) -> Iterator[redis.Redis]:
    with redis.Redis(port=servers.replica.port) as client:
        yield client


def replica_lines(run: Runner, servers: Pair, *, fails: bool = False, replicas: int = 1) -> list[str]:
    given = {"REDIS_URL": servers.primary.url, "REDIS_REPLICAS": str(replicas)}
    output = run("doctor", "--only", "redis.replica", fails=fails, **given).output
    return [line.partition("redis.replica")[2].strip() for line in output.splitlines() if "redis.replica " in line]


@pytest.mark.usefixtures("primary")
def test_a_replica_that_is_cut_off_fails_until_it_follows_again(
    run: Runner, servers: Pair, replica: redis.Redis
) -> None:
    (fine,) = replica_lines(run, servers)
    assert fine == "a primary with replicas (1); a failover loses nothing that was acknowledged."
    replica.replicaof("127.0.0.1", free_port())
    found, refuses = replica_lines(run, servers, fails=True)
    assert found.startswith("REDIS_REPLICAS is 1, and only 0 follow this Redis. So webhooks and answers go to the ")
    assert found.endswith("Start the missing replica, or see its log, its replicaof and the network.")
    assert refuses.startswith("min-replicas-to-write is 1, and only 0 follow this Redis. So it refuses writes.")
    replica.replicaof("127.0.0.1", servers.primary.port)
    eventually(servers.is_in_sync)
    assert replica_lines(run, servers) == [fine]


@pytest.mark.usefixtures("primary")
def test_a_silent_replica_fails_as_a_write_without_confirmation(run: Runner, servers: Pair) -> None:
    given = {"REDIS_URL": servers.primary.url, "REDIS_REPLICAS": "1"}
    with servers.without_replica():
        output = run("doctor", "--only", "redis.writable", fails=True, **given).output
    assert "fail redis.writable" in output
    assert "REDIS_REPLICAS is 1, and the replicas that have confirmed the write in time: 0. See redis.replica" in output


@pytest.mark.usefixtures("primary")
def test_a_failover_that_loses_writes_is_a_warning_until_replicas_confirm_them(run: Runner, servers: Pair) -> None:
    (found,) = replica_lines(run, servers, fails=True, replicas=0)
    assert found.startswith("a failover to one of the replicas (1) loses the latest acknowledged webhooks and answers.")
    assert found.endswith("Set REDIS_REPLICAS=1.")
    assert len(replica_lines(run, servers, replicas=1)) == 1


def test_min_replicas_to_write_is_compared(run: Runner, servers: Pair, primary: redis.Redis) -> None:
    primary.config_set("min-replicas-to-write", 0)
    (found,) = replica_lines(run, servers, fails=True)
    assert found.startswith("min-replicas-to-write is 0, so a primary that is cut off goes on taking writes")
    primary.config_set("min-replicas-to-write", 2)
    (found,) = replica_lines(run, servers, fails=True)
    assert found.startswith("min-replicas-to-write is 2, and only 1 follow this Redis. So it refuses writes.")


def test_a_primary_without_replicas_is_no_fault(run: Runner) -> None:
    assert "ok   redis.replica" in run("doctor", "--only", "redis.replica").output


def test_missing_sentinels_are_named_until_they_are_back(run: Runner, tmp_path_factory: pytest.TempPathFactory) -> None:
    with watched(tmp_path_factory.mktemp("nodes")) as nodes:

        def doctor(*, fails: bool) -> str:
            return run("doctor", "--only", "redis.sentinels", fails=fails, REDIS_URL=nodes.url).output

        assert "all 3 respond, and can make a failover" in doctor(fails=False)
        first, second, _ = nodes.sentinels
        first.stop()
        assert f"1 of 3 don't respond: 127.0.0.1:{first.port}. Start them, or correct REDIS_URL" in doctor(fails=True)
        second.stop()
        eventually(lambda: "they can't make a failover: NOQUORUM" in doctor(fails=True))
        first.restart()
        second.restart()
        eventually(lambda: all(each.has_quorum() for each in nodes.sentinels))
        assert "all 3 respond" in doctor(fails=False)


def test_a_single_redis_has_no_sentinels(run: Runner) -> None:
    assert "sentinels" not in run("doctor", "--only", "redis.sentinels").output
