"""Redis fails over or loses its connections. No webhook is refused, and no restart is needed."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import requests

from service.records.records import Records
from service.records.redis_pool import USUAL_CONNECTIONS
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from service.surveys.states import Journey
from tests.fronts import Front, front
from tests.integration.conftest import SURVEYS, Starter
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import SECRET_KEY, Afterword, RedisServer, patient
from tests.tasks import KEY, push_task


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Start a primary and its replica."""
    pair = []
    for name in ("primary", "replica"):
        pair.append(RedisServer(tmp_path_factory.mktemp(name)))
        pair[-1].start()
    with redis.Redis(port=pair[1].port) as replica:
        replica.replicaof("127.0.0.1", pair[0].port)
        eventually(lambda: replica.info("replication")["master_link_status"] == "up")
    yield pair[0], pair[1]
    for each in pair:
        each.stop()


@pytest.fixture(scope="module")
def proxy(servers: tuple[RedisServer, RedisServer]) -> Iterator[Front]:
    with front(servers[0].port) as opened:
        yield opened


@pytest.fixture(scope="module")
def afterword(start: Starter, proxy: Front) -> Iterator[Afterword]:
    started = start(SURVEYS, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", SPOOL_DIR="off")
    yield started
    started.stop()


class Surveys:
    """Starts surveys, and reads their records through the proxy."""

    def __init__(self, afterword: Afterword, dixa: Sandbox, port: int) -> None:
        self._dixa = dixa
        self._client = patient(f"redis://127.0.0.1:{port}/0")
        self._records = Records(self._client, lease=timedelta(seconds=60), keep=timedelta(days=90))
        self._links = Links([SECRET_KEY], afterword.url)
        dixa.sends_webhooks_to(afterword.webhook_url)

    def new_survey(self) -> LiveSurvey:
        return LiveSurvey(self._dixa, self._records, self._links, self._dixa.make_conversation())

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def surveys(afterword: Afterword, dixa: Sandbox, proxy: Front) -> Iterator[Surveys]:
    opened = Surveys(afterword, dixa, proxy.port)
    yield opened
    opened.close()


def test_burst_uses_at_most_the_documented_connections(
    servers: tuple[RedisServer, RedisServer], proxy: Front, afterword: Afterword, dixa: Sandbox
) -> None:
    opened = Surveys(afterword, dixa, servers[0].port)
    counts = []

    def close(_: int) -> LiveSurvey:
        story = opened.new_survey().close()
        counts.append(proxy.open_connections)
        return story

    with ThreadPoolExecutor(32) as threads:
        stories = list(threads.map(close, range(64)))
    for each in stories:
        each.link()
        counts.append(proxy.open_connections)
    assert max(counts) <= USUAL_CONNECTIONS
    opened.close()


def test_failover_refuses_no_webhook_and_needs_no_restart(
    servers: tuple[RedisServer, RedisServer], proxy: Front, afterword: Afterword, surveys: Surveys
) -> None:
    before = [surveys.new_survey().close() for _ in range(4)]
    links = [each.link() for each in before]
    primary, replica = (redis.Redis(port=each.port) for each in servers)
    eventually(lambda: primary.wait(1, 100))
    replica.replicaof("NO", "ONE")
    primary.replicaof("127.0.0.1", servers[1].port)
    proxy.lead_to(servers[1].port)
    with ThreadPoolExecutor(8) as threads:
        after = list(threads.map(lambda _: surveys.new_survey().close(), range(16)))
    for link in links:
        assert requests.post(link, data={"rating": "5"}, timeout=30).ok
    for each in (*before, *after):
        each.link()
    for each in before:
        each.submitted()
    assert {len(each.offers) for each in (*before, *after)} == {1}
    assert "redis.lost" not in afterword.log_of("web")


def test_connections_dropped_by_a_nat_refuse_no_webhook(proxy: Front, surveys: Surveys, dixa: Sandbox) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: surveys.new_survey().close(), range(16)))
        proxy.forget()
        stories = list(threads.map(lambda _: surveys.new_survey().close(), range(16)))
    # Dixa would have retried a refused webhook.
    assert [delivery.attempts for each in stories for delivery in dixa.deliveries(each.id)] == [1] * len(stories)
    for each in stories:
        each.link()


def test_worker_without_a_connection_logs_the_reason(own_redis: RedisServer, tmp_path: Path) -> None:
    with redis.Redis(port=own_redis.port) as client:
        client.config_set("maxclients", 1)
        worker = Afterword(tmp_path, {"REDIS_URL": own_redis.url}).start("worker")
        reason = "all connections that Redis takes are taken"
        eventually(lambda: any("relay.failed" in line and reason in line for line in worker.log.splitlines()))
        client.config_set("maxclients", 100)
    eventually(lambda: "relay.recovered" in worker.log)
    worker.stop()


@pytest.mark.parametrize("has_noticed", [False, True])
def test_worker_with_a_frozen_redis_stops_in_time(own_redis: RedisServer, tmp_path: Path, *, has_noticed: bool) -> None:
    worker = Afterword(tmp_path, {"REDIS_URL": own_redis.url}).start("worker")
    with redis.Redis(port=own_redis.port) as client:
        push_task(client, Journey.OFFER, "1")
        eventually(lambda: client.llen(KEY) == 0)
    own_redis.freeze()
    if has_noticed:
        eventually(lambda: "celery.worker.consumer.consumer" in worker.log)
    process = worker._running["worker"]
    process.send_signal(signal.SIGTERM)
    # The limit promised by docs/getting-started.md.
    assert process.wait(30) == 0
    own_redis.thaw()
