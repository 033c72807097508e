"""A short link redirects to the signed one and writes nothing. During an outage it is 503, not 404."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from flask.testing import FlaskClient

from service.records.short_links import ShortLinks
from service.web.log_redaction import redact_tokens_in
from tests.processes import PUBLIC_URL, RedisServer, free_port, patient
from tests.web.survey_client import TOKEN, chosen, dump, get, make_client, post
from tests.web.test_mangled_links import TAILS
from tests.web.test_security_headers import assert_protected

UNKNOWN = "aB3dE6gH9jK2"


@pytest.fixture
def code(redis_url: str, keys: redis.Redis) -> str:
    client = patient(redis_url)
    link = ShortLinks(client, PUBLIC_URL).shorten("81000", f"{PUBLIC_URL}/s/{TOKEN}", timedelta(days=91))
    client.close()
    return link.rpartition("/")[2]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("", ""),
        ("?r=4", "?r=4"),
        ("?lang=da", "?lang=da"),
        ("?r=10&lang=da", "?r=10&lang=da"),
        ("?r=4&utm_source=sms&change=1&receipt=x&lang=xx", "?r=4"),
        ("?r=4.&lang=da)", "?r=4&lang=da"),
        ("?r=%0d%0aevil:x&lang=//evil.example", "?r=evil"),
        ("/stop", "/stop"),
        ("/stop?lang=da", "/stop?lang=da"),
    ],
)
def test_short_link_redirects_with_known_query(
    client: FlaskClient, code: str, method: str, path: str, leads_to: str
) -> None:
    response = client.open(f"/s/{code}{path}", method=method, base_url=PUBLIC_URL)
    assert (response.status_code, response.headers["Location"]) == (302, f"/s/{TOKEN}{leads_to}")
    assert_protected(response)


def test_short_link_leads_to_page(client: FlaskClient, code: str) -> None:
    page = get(client, f"{code}?r=4&lang=da", follow_redirects=True)
    assert chosen(page) == ["4"]
    assert "<html lang=da" in page.text
    assert page.request.path == f"/s/{TOKEN}"
    assert "<form" in get(client, f"{code}/stop", follow_redirects=True).text


@pytest.mark.parametrize("path", ["{code}", "{code}?r=4", "{code}/stop", UNKNOWN, f"{UNKNOWN}/stop"])
def test_opening_short_link_writes_nothing(client: FlaskClient, keys: redis.Redis, code: str, path: str) -> None:
    before = dump(keys)
    for method in ("GET", "HEAD"):
        client.open(f"/s/{path.format(code=code)}", method=method, base_url=PUBLIC_URL)
    assert dump(keys) == before


@pytest.mark.parametrize("tail", TAILS)
def test_suffix_of_short_link_is_cut_off(client: FlaskClient, code: str, tail: str) -> None:
    """In one redirect, not through the clean short link."""
    for method in ("GET", "HEAD"):
        response = client.open(f"/s/{code}{tail}?r=4&lang=da", method=method, base_url=PUBLIC_URL)
        assert (response.status_code, response.location) == (302, f"/s/{TOKEN}?r=4&lang=da")


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("%22{code}%22", ""),
        ("({code})", ""),
        ("{code}/stop.", "/stop"),
        ("{code}./stop", "/stop"),
        ("{code}%3Fr=4", "?r=4"),
        ("{code:.4}%0D%0A{rest}", ""),
    ],
)
def test_other_mangled_short_links_are_cleaned(client: FlaskClient, code: str, path: str, leads_to: str) -> None:
    assert get(client, path.format(code=code, rest=code[4:])).location == f"/s/{TOKEN}{leads_to}"


@pytest.mark.parametrize("unknown", [UNKNOWN, f"{UNKNOWN}.", f"({UNKNOWN})", "A" * 12, "0" * 12])
@pytest.mark.parametrize("path", ["", "/stop"])
def test_unknown_code_is_not_found(client: FlaskClient, unknown: str, path: str) -> None:
    wrong, bad = get(client, unknown + path), get(client, f"{TOKEN[:-1]}x{path}")
    assert (wrong.status_code, wrong.data) == (404, bad.data)
    assert {*wrong.headers} == {*bad.headers}
    assert_protected(wrong)


@pytest.mark.parametrize("path", ["", "/stop"])
def test_post_to_short_link_is_not_found(client: FlaskClient, keys: redis.Redis, code: str, path: str) -> None:
    """The pages post to the signed link, which works without Redis."""
    before = dump(keys)
    assert post(client, {"rating": "4"}, code + path).status_code == 404
    assert dump(keys) == before


def dead(_: RedisServer) -> str:
    return f"redis://127.0.0.1:{free_port()}/0"


def frozen(server: RedisServer) -> str:
    server.freeze()
    return server.url


@pytest.mark.parametrize("away", [dead, frozen])
@pytest.mark.parametrize("path", [UNKNOWN, f"{UNKNOWN}/stop", f"{UNKNOWN}?r=4"])
def test_without_redis_short_link_is_503(own_redis: RedisServer, away: Callable[[RedisServer], str], path: str) -> None:
    client = make_client(away(own_redis))
    for _ in range(2):  # After the first failure, Redis is not queried for a while.
        for response in (get(client, path), client.head(f"/s/{path}", base_url=PUBLIC_URL)):
            assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
            assert_protected(response)
    assert "Please try again in a minute" in get(client, path).text
    assert "<html lang=da" in get(client, path, headers={"Accept-Language": "da"}).text
    own_redis.thaw()


def test_open_page_works_without_redis(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    client = make_client(dead(redis_server), SPOOL_DIR=str(tmp_path_factory.mktemp("spool")))
    client.application.extensions["afterword"].spool.prepare()
    assert post(client, {"rating": "4"}).status_code == 303


def test_existing_short_links_work_when_switched_off(redis_url: str, keys: redis.Redis, code: str) -> None:
    assert get(make_client(redis_url, SHORT_LINKS="off"), code).status_code == 302


def test_target_of_short_link_must_be_signed(client: FlaskClient, keys: redis.Redis) -> None:
    """The token in Redis is verified, so write access to Redis isn't enough for a link."""
    keys.set(f"afterword:short:{UNKNOWN}", f"{TOKEN[:-1]}x")
    assert get(client, UNKNOWN, follow_redirects=True).status_code == 404


@pytest.mark.parametrize(
    "line",
    [
        f"Invalid HTTP request line: 'GET /s/{UNKNOWN}/stop'",
        f"Exception on /s/{UNKNOWN} [GET]",
        f"/s/{UNKNOWN}?r=4",
        f'"GET /%73/{UNKNOWN} HTTP/1.1" 404',
        f'"https://a.example/?to=%2Fs%2F{UNKNOWN}"',
        f"/a%252F%2573%252f{UNKNOWN}",
        f"//s//{UNKNOWN}",
    ],
)
def test_code_is_not_logged(caplog: pytest.LogCaptureFixture, line: str) -> None:
    redact_tokens_in("a.library")
    logging.getLogger("a.library").warning(line)
    assert UNKNOWN not in caplog.text
    assert "***" in caplog.text


def test_token_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    redact_tokens_in("a.library")
    logging.getLogger("a.library").warning("GET /nowhere?t=%s", TOKEN)
    assert TOKEN[:60] not in caplog.text


def test_code_is_not_logged_during_outage(redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    client = make_client(dead(redis_server))
    get(client, UNKNOWN)
    log = capsys.readouterr().out
    assert "short_link.unavailable" in log
    assert UNKNOWN not in log
