"""Requests that fail are limited by address. Valid ones are not, and an outage of Redis limits nobody."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from service.records.failure_guard import MAX_FAILURES
from service.records.redis_pool import _StaleAware
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.survey_client import TOKEN, get, make_client, post
from tests.web.webhook_client import OTHER_SECRET, PATH, closed, send

INVALID = f"{TOKEN[:-4]}AAAA"
CODE = "aB3dE6gH9jK2"
OFFICE, HOME = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def proxied(redis_url: str, keys: redis.Redis) -> FlaskClient:
    """A client behind one proxy."""
    return make_client(redis_url, PROXY_HOPS="1")


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}


def forge(client: FlaskClient, address: str = OFFICE) -> int:
    return send(client, closed(), OTHER_SECRET, **from_address(address))[0]


def open_link(path: str) -> Callable[[FlaskClient], int]:
    return lambda client: client.get(path, base_url=PUBLIC_URL, headers=from_address(OFFICE)).status_code


FAILURES: dict[str, tuple[int, Callable[[FlaskClient], int]]] = {
    "webhook with another key": (401, forge),
    "webhook without a signature": (
        401,
        lambda client: client.post(PATH, base_url=PUBLIC_URL, json={}, headers=from_address(OFFICE)).status_code,
    ),
    "page": (404, open_link(f"/s/{INVALID}")),
    "form": (404, lambda client: post(client, {"rating": 4}, INVALID, headers=from_address(OFFICE)).status_code),
    "short link": (404, open_link(f"/s/{CODE}")),
    "opt-out page": (404, open_link(f"/s/{INVALID}/stop")),
    "opt-out": (
        404,
        lambda client: client.post(f"/s/{INVALID}/stop", base_url=PUBLIC_URL, headers=from_address(OFFICE)).status_code,
    ),
    "short opt-out link": (404, open_link(f"/s/{CODE}/stop")),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failed_requests_of_an_address_are_limited(proxied: FlaskClient, kind: str) -> None:
    status, fail = FAILURES[kind]
    assert [fail(proxied) for _ in range(MAX_FAILURES + 1)] == [status] * MAX_FAILURES + [429]


def test_an_address_over_the_limit_can_make_valid_requests(proxied: FlaskClient) -> None:
    for _ in range(MAX_FAILURES + 1):
        forge(proxied)
    headers = from_address(OFFICE)
    assert forge(proxied) == 429
    assert send(proxied, closed(), **headers)[0] == 202
    assert get(proxied, headers=headers).status_code == 200
    assert post(proxied, {"rating": 4}, headers=headers).status_code == 303
    assert proxied.post(f"/s/{TOKEN}/stop", base_url=PUBLIC_URL, headers=headers).status_code != 429


def test_300_valid_requests_in_a_minute_are_accepted(proxied: FlaskClient, keys: redis.Redis) -> None:
    headers = from_address(OFFICE)
    assert {send(proxied, closed(), **headers)[0] for _ in range(301)} == {202}
    assert {get(proxied, headers=headers).status_code for _ in range(301)} == {200}
    assert not keys.keys("afterword:failures:*")


def test_unknown_paths_of_browsers_do_not_count(proxied: FlaskClient, keys: redis.Redis) -> None:
    assert open_link("/favicon.ico")(proxied) == 404
    assert not keys.keys("afterword:failures:*")


def test_other_addresses_are_not_limited(proxied: FlaskClient) -> None:
    for _ in range(MAX_FAILURES + 1):
        forge(proxied)
    assert forge(proxied, HOME) == 401
    assert forge(proxied, "not an address") == 401


def test_addresses_of_one_ipv6_network_count_together(proxied: FlaskClient) -> None:
    statuses = [forge(proxied, f"2001:db8:0:1::{number:x}") for number in range(MAX_FAILURES + 1)]
    assert statuses[-1] == 429
    assert forge(proxied, "2001:db8:0:2::1") == 401


def test_redis_keeps_a_hash_of_the_address_for_a_minute(proxied: FlaskClient, keys: redis.Redis) -> None:
    forge(proxied)
    [key] = keys.keys("afterword:failures:*")
    assert OFFICE.encode() not in key
    assert 0 < keys.ttl(key) <= 60


def test_a_limited_webhook_says_when_to_try_again(proxied: FlaskClient) -> None:
    for _ in range(MAX_FAILURES + 1):
        forge(proxied)
    response = proxied.post(PATH, base_url=PUBLIC_URL, json={}, headers=from_address(OFFICE))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert response.json == {
        "status": "rejected",
        "problem": "Over 60 requests a minute from your address have failed.",
    }


@pytest.fixture
def frozen(own_redis: RedisServer) -> Iterator[FlaskClient]:
    """A client whose Redis no longer responds."""
    client = make_client(own_redis.url, PROXY_HOPS="1", SPOOL_DIR="off")
    assert send(client, closed())[0] == 202
    own_redis.freeze()
    yield client
    own_redis.thaw()


def test_an_outage_of_redis_limits_nobody_and_costs_one_wait(
    frozen: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    inner = _StaleAware.send_packed_command

    def send_and_count(connection: Any, *args: Any, **options: Any) -> Any:
        sent.append(args)
        return inner(connection, *args, **options)

    monkeypatch.setattr(_StaleAware, "send_packed_command", send_and_count)
    assert forge(frozen) == 401
    assert sent
    sent.clear()
    statuses = [fail(frozen) for _, fail in FAILURES.values() for _ in range(MAX_FAILURES + 1)]
    assert set(statuses) == {401, 404, 503}, "503: short links are in Redis alone"
    assert not sent


def test_forged_forwarded_address_changes_nothing(proxied: FlaskClient, redis_url: str) -> None:
    """Only the last address is of our proxy. Without a proxy, none counts."""
    statuses = [forge(proxied, f"203.0.113.{number}, {OFFICE}") for number in range(MAX_FAILURES + 1)]
    assert statuses[-1] == 429
    direct = make_client(redis_url)
    statuses = [forge(direct, f"203.0.113.{number}") for number in range(MAX_FAILURES + 1)]
    assert statuses[-1] == 429
