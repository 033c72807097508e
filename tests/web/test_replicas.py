"""With REDIS_REPLICAS, what the replica doesn't confirm goes to the spool as well, and stays there until it does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.records.redis import RecordsUnavailable
from service.web.services import Services
from tests.replicas import Pair, pair
from tests.web.webhook_client import closed, make_client, send


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as started:
        yield started


@pytest.fixture
def web(servers: Pair, tmp_path: Path) -> FlaskClient:
    with redis.Redis(port=servers.primary.port) as client:
        client.flushall()
    made = make_client(servers.primary.url, REDIS_REPLICAS="1", SPOOL_DIR=str(tmp_path / "spool"))
    core = services_of(made)
    assert not [*core.prepare()]
    core.records._redis.connection_pool.connection_kwargs["socket_timeout"] = 20
    return made


def services_of(web: FlaskClient) -> Services:
    found: Services = web.application.extensions["afterword"]
    return found


def test_an_unconfirmed_close_is_spooled_until_the_replica_has_it(servers: Pair, web: FlaskClient) -> None:
    core, waits = services_of(web), []
    assert core.spool
    with servers.without_replica(), redis.Redis(port=servers.primary.port, decode_responses=True) as primary:
        for number in range(3):
            assert send(web, closed(csid=101 + number))[0] == 202
            waits.append(primary.info("commandstats")["cmdstat_wait"]["calls"])
        assert core.spool.waiting() == 3
        assert len(set(waits)) == 1, "only the first one has waited for the replica"
        assert primary.exists("afterword:survey:101"), "the primary has it, which does no harm"
        with pytest.raises(RecordsUnavailable, match="REDIS_REPLICAS is 1"):
            core.recovery.step()
        assert core.spool.waiting() == 3
    core.recovery.step()
    assert core.spool.waiting() == 0
    with redis.Redis(port=servers.replica.port) as replica:
        assert replica.exists(*(f"afterword:survey:{101 + number}" for number in range(3))) == 3


def test_a_replica_lost_during_a_drain_keeps_the_file(servers: Pair, web: FlaskClient) -> None:
    core = services_of(web)
    assert core.spool
    with servers.without_replica():
        assert send(web, closed(csid=101))[0] == 202
        # As if the replica had been there for the ping.
        core.recovery._breaker.is_open = False
        with pytest.raises(RecordsUnavailable, match="REDIS_REPLICAS is 1"):
            core.recovery.step()
        assert core.spool.waiting() == 1


def test_readyz_reports_a_missing_replica_and_stays_ready(servers: Pair, web: FlaskClient) -> None:
    with servers.without_replica():
        response = web.get("/readyz")
        assert response.status_code == 200
        assert "REDIS_REPLICAS is 1" in response.json["degraded"]["redis.writable"]  # type: ignore[index]
    response = web.get("/readyz")
    assert "redis.writable" not in response.json["degraded"]  # type: ignore[index]
