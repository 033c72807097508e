"""`/`, `/healthz` and `/readyz`: ready only while something can be saved."""

from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from service.web.app import create_app
from service.web.readiness import Readiness
from tests.polling import eventually
from tests.processes import PUBLIC_URL, RedisServer, cluster_node, settings_for


@pytest.fixture
def client(own_redis: RedisServer) -> FlaskClient:
    return create_app(settings_for(own_redis.url)).test_client()


def test_home_describes_host(client: FlaskClient) -> None:
    response = client.get("/", base_url=PUBLIC_URL)
    assert (response.status_code, response.mimetype) == (200, "text/plain")
    assert response.text == "This host serves customer-satisfaction surveys.\n"


def test_web_is_ready_with_redis(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200
    response = client.get("/readyz").json
    assert response
    assert response["status"] == "ready"
    assert "redis.reachable" not in response["degraded"]


def test_web_without_redis_is_alive_but_not_ready(client: FlaskClient, own_redis: RedisServer) -> None:
    own_redis.stop()
    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz").json == {"status": "ok"}
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json
    assert "redis.reachable" in response.json["degraded"]
    assert own_redis.url not in response.text
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)


def test_read_only_redis_without_spool_is_not_ready(client: FlaskClient, own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.url) as keys:
        keys.config_set("maxmemory", "1")
        for _ in range(2):
            response = client.get("/readyz")
            assert response.status_code == 503
            assert response.json
            assert "refuses writes" in response.json["degraded"]["redis.writable"]
            assert "of its maxmemory" in response.json["degraded"]["redis.memory"]
        keys.config_set("maxmemory", "0")
        assert client.get("/readyz").status_code == 200


def test_redis_cluster_is_reported(tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server, redis.Redis.from_url(server.url) as node:
        visitor = create_app(settings_for(server.url)).test_client()
        assert_cluster_named(visitor)
        node.execute_command("CLUSTER ADDSLOTS", *range(16384))
        eventually(lambda: node.cluster("info")["cluster_state"] == "ok")
        assert_cluster_named(visitor)


def assert_cluster_named(visitor: FlaskClient) -> None:
    response = visitor.get("/readyz").json
    assert response
    assert "this is a Redis Cluster" in response["degraded"]["redis.cluster"]


def test_readyz_counts_newer_spool_files_separately(own_redis: RedisServer, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    client = create_app(settings_for(own_redis.url, SPOOL_DIR=str(spool))).test_client()
    (spool / "0.json").write_text('{"v": 2}')
    (spool / "1.json").write_text('{"half":')
    client.application.extensions["afterword"].recovery.step()
    (spool / "2.json").write_text("{}")
    response = client.get("/readyz")
    assert response.json
    assert (response.status_code, response.json["status"]) == (200, "ready")
    shown = response.json["degraded"]
    assert "1 waiting for Redis. " in shown["spool.waiting"]
    assert "1 waiting for the newer version that wrote them. " in shown["spool.waiting"]
    assert "1 could not be read and were set aside. " in shown["spool.corrupt"]


def test_readyz_names_channel_that_is_down(client: FlaskClient) -> None:
    client.application.extensions["afterword"].channels.failed("email", "48213", "the mail server returned 535")
    response = client.get("/readyz")
    assert response.json
    assert response.status_code == 200
    assert "the mail server returned 535" in response.json["degraded"]["channels"]


TOKEN = "a-token-of-the-operators-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("request_facts", "is_shown"),
    [
        ({}, True),
        ({"base_url": "http://127.0.0.1:8000"}, True),
        ({"base_url": "http://[::1]:8000", "environ_base": {"REMOTE_ADDR": "::1"}}, True),
        ({"environ_base": {"REMOTE_ADDR": "::ffff:127.0.0.1"}}, True),
        ({"environ_base": {"REMOTE_ADDR": "::ffff:198.51.100.7"}}, False),
        ({"environ_base": {"REMOTE_ADDR": ""}}, False),
        ({"base_url": PUBLIC_URL}, False),
        ({"base_url": "http://127.0.0.1.example.com"}, False),
        ({"headers": {"Host": "[::1"}}, False),
        ({"environ_base": {"REMOTE_ADDR": "198.51.100.7"}}, False),
        ({"headers": {"X-Forwarded-For": "127.0.0.1"}}, False),
        ({"headers": {"Forwarded": "for=127.0.0.1"}}, False),
        ({"headers": {"X-Forwarded-Proto": "https"}}, False),
        ({"headers": {"X-Forwarded-Port": "443"}}, False),
        ({"headers": {"CF-Connecting-IP": "198.51.100.7"}}, False),
        ({"headers": {"Authorization": "Bearer wrong"}, "base_url": PUBLIC_URL}, False),
        ({"headers": {"Authorization": f"Basic {TOKEN}"}, "base_url": PUBLIC_URL}, False),
        ({"headers": {"Authorization": "Bearer \xfc"}, "base_url": PUBLIC_URL}, False),
        ({"headers": {"Authorization": "Basic \xfc"}, "base_url": PUBLIC_URL}, False),
        ({"headers": {"Authorization": 'Digest a="\\'}, "base_url": PUBLIC_URL}, False),
        ({"headers": {"Authorization": f"bearer  {TOKEN} "}, "base_url": PUBLIC_URL}, True),
        ({"headers": BEARER, "base_url": PUBLIC_URL}, True),
        ({"headers": BEARER | {"X-Forwarded-For": "198.51.100.7"}, "base_url": PUBLIC_URL}, True),
    ],
)
@pytest.mark.parametrize("hops", ["0", "1"])
def test_degraded_parts_are_for_operator_only(
    own_redis: RedisServer, request_facts: dict[str, Any], hops: str, *, is_shown: bool
) -> None:
    client = create_app(settings_for(own_redis.url, READYZ_TOKEN=TOKEN, PROXY_HOPS=hops)).test_client()
    response = client.get("/readyz", **request_facts)
    assert response.json
    assert response.json["status"] == "ready"
    assert ("degraded" in response.json) is is_shown


def test_no_token_is_accepted_without_the_setting(client: FlaskClient) -> None:
    for given in ("Bearer", "Bearer ", "Bearer none"):
        response = client.get("/readyz", base_url=PUBLIC_URL, headers={"Authorization": given})
        assert response.json == {"status": "ready"}


def test_readyz_checks_at_most_once_a_second(
    client: FlaskClient, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Readiness, "MAX_AGE_SECONDS", 3600.0)
    first = client.get("/readyz").json
    own_redis.stop()
    assert [client.get("/readyz").json for _ in range(100)] == [first] * 100


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_head_works_for_probes(client: FlaskClient, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_health_routes_accept_no_post(client: FlaskClient, path: str) -> None:
    assert client.post(path, base_url=PUBLIC_URL, data={"a": "b"}).status_code == 405
