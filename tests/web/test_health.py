"""`/`, `/healthz` and `/readyz`: alive, and ready only while something can be kept."""

import pytest
from flask.testing import FlaskClient

from service.web.app import create_app
from tests.polling import eventually
from tests.running import PUBLIC_URL, RedisServer, settings_for


@pytest.fixture
def client(own_redis: RedisServer) -> FlaskClient:
    return create_app(settings_for(own_redis.url)).test_client()


def test_the_front_says_what_this_is_and_nothing_more(client: FlaskClient) -> None:
    answer = client.get("/", base_url=PUBLIC_URL)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert answer.text == "This host serves customer-satisfaction surveys.\n"


def test_it_is_ready_while_redis_answers(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200
    answer = client.get("/readyz").json
    assert answer
    assert answer["status"] == "ready"
    assert "redis" not in answer["degraded"]


def test_without_redis_it_is_alive_not_ready_and_says_which_part(client: FlaskClient, own_redis: RedisServer) -> None:
    own_redis.stop()
    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz").json == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json
    assert "redis" in answer.json["degraded"]
    assert own_redis.url not in answer.text
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_head_is_enough_for_a_probe(client: FlaskClient, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_nothing_is_taken(client: FlaskClient, path: str) -> None:
    assert client.post(path, base_url=PUBLIC_URL, data={"a": "b"}).status_code == 405
