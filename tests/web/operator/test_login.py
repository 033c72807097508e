"""The window lets in whom OPERATOR_LOGINS or a login proxy names, and nobody else."""

import hmac
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
import werkzeug.security
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.web.app import create_app
from service.web.operator import login as door
from service.web.operator.login import MAX_FAILED_LOGINS
from tests.processes import PUBLIC_URL, settings_for
from tests.web.operator.window_client import LOGINS, SAME_SITE, act, basic, login, look, make_window

VIEW = "/operator/failed"
NONE: Mapping[str, str] = MappingProxyType({})
PROXY_SECRET = "secret-of-the-proxy-0123456789"
PASSWORD_HASH = LOGINS.partition(",")[0].rpartition("$")[2]
OWN_URL = "https://admin.northwind.example"


def proxied(user: str | None, secret: str = PROXY_SECRET, header: str = "X-Forwarded-Email") -> dict[str, str]:
    return {"X-Operator-Secret": secret} | ({header: user} if user is not None else {})


def get(client: FlaskClient, headers: Mapping[str, str] = NONE, url: str = PUBLIC_URL, **environ: Any) -> TestResponse:
    return client.get(VIEW, base_url=url, headers=headers, environ_overrides=environ)


def test_without_a_login_the_window_is_the_ordinary_404(redis_url: str) -> None:
    client = create_app(settings_for(redis_url)).test_client()
    found, unknown = (client.get(path, base_url=PUBLIC_URL) for path in (VIEW, "/nothing"))
    assert (found.status_code, found.data, found.headers) == (unknown.status_code, unknown.data, unknown.headers)
    assert found.status_code == 404


def test_a_right_password_opens_the_window(window: FlaskClient) -> None:
    for name in ("anna", "ben"):
        response = look(window, VIEW, name)
        assert response.status_code == 200
        assert name in response.text
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("anna", ""),
        basic("anna", "wrong"),
        basic("", "correct horse battery"),
        basic("nobody", "correct horse battery"),
        basic("ben", "correct horse battery"),
        basic("anna\0", "correct horse battery"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic YW5uYQ=="},
        {"Authorization": "Bearer correct"},
        {"Authorization": "Basic Ym9iOv8="},
        proxied("anna@northwind.example"),
    ],
)
def test_anything_else_is_asked_for_a_password(window: FlaskClient, headers: dict[str, str]) -> None:
    response = get(window, headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_one_who_may_look_may_not_act(window: FlaskClient) -> None:
    refused = act(window, VIEW, {"all": "1"}, name="ben")
    assert refused.status_code == 403
    assert "WWW-Authenticate" not in refused.headers
    assert act(window, VIEW, {"all": "1"}, name="anna").status_code == 303


def test_pages_show_no_buttons_to_one_who_may_only_look(window: FlaskClient) -> None:
    assert "<button" not in look(window, VIEW, "ben").text


def test_a_password_is_hashed_once_in_some_minutes(window: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def check(hashed: str, password: str) -> bool:
        checked.append(password)
        return werkzeug.security.check_password_hash(hashed, password)

    monkeypatch.setattr(door, "check_password_hash", check)
    assert [look(window, VIEW).status_code for _ in range(3)] == [200] * 3
    assert len(checked) == 1
    assert [get(window, basic("anna", "wrong")).status_code for _ in range(2)] == [401] * 2
    assert len(checked) == 3, "a wrong password is never remembered"
    after = time.monotonic() + 601
    monkeypatch.setattr(door, "monotonic", lambda: after)
    assert look(window, VIEW).status_code == 200
    assert len(checked) == 4


def test_an_unknown_name_takes_as_long_as_a_known_one(window: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(door, "check_password_hash", lambda hashed, password: checked.append(hashed))
    for name in ("anna", "nobody"):
        assert get(window, basic(name, "wrong")).status_code == 401
    assert len(checked) == 2


def test_a_password_is_checked_beside_the_event_loop(window: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def check(_hashed: str, _password: str) -> bool:
        threads.append(threading.get_ident())
        return True

    monkeypatch.setattr(door, "check_password_hash", check)
    assert look(window, VIEW).status_code == 200
    assert threads
    assert threading.get_ident() not in threads


def test_failed_logins_of_an_address_are_limited(window: FlaskClient) -> None:
    guesses = [get(window, basic("anna", f"guess {number}")) for number in range(MAX_FAILED_LOGINS + 1)]
    assert [each.status_code for each in guesses] == [401] * MAX_FAILED_LOGINS + [429]
    assert guesses[-1].headers["Retry-After"] == "60"
    # Otherwise the limit would not slow down guesses: the right one would still come through.
    assert look(window, VIEW).status_code == 429
    assert look(window, VIEW, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_an_operator_at_work_is_not_locked_out_by_guesses_from_the_same_address(window: FlaskClient) -> None:
    assert look(window, VIEW).status_code == 200
    for number in range(MAX_FAILED_LOGINS + 1):
        get(window, basic("anna", f"guess {number}"))
    assert look(window, VIEW).status_code == 200


def test_opening_the_window_is_no_failed_login(window: FlaskClient) -> None:
    assert {get(window).status_code for _ in range(MAX_FAILED_LOGINS + 2)} == {401}


def test_a_failed_login_is_logged_without_name_and_password(
    window: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    get(window, basic("anna", "wrong password"))
    get(window, basic("my-password", "wrong password"))
    log = capsys.readouterr().out
    assert "operator.login_failed" in log
    assert "unknown name" in log
    assert "wrong password" in log.replace("problem", "")
    assert "my-password" not in log


@pytest.mark.parametrize(
    ("url", "environ", "status"),
    [
        ("http://survey.northwind.example", {"REMOTE_ADDR": "192.0.2.7"}, 403),
        ("http://survey.northwind.example", {"REMOTE_ADDR": "127.0.0.1"}, 401),
        ("http://survey.northwind.example", {"REMOTE_ADDR": "::ffff:127.0.0.1"}, 401),
        ("http://survey.northwind.example", {"REMOTE_ADDR": ""}, 401),
        ("https://survey.northwind.example", {"REMOTE_ADDR": "192.0.2.7"}, 401),
    ],
)
def test_no_password_is_asked_for_over_plain_http(
    window: FlaskClient, url: str, environ: dict[str, str], status: int
) -> None:
    response = get(window, NONE, url, **environ)
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)


def test_a_proxy_tells_whether_the_browser_came_by_https(redis_url: str) -> None:
    window = make_window(redis_url, PROXY_HOPS="1")
    for proto, status in (("http", 403), ("https", 200)):
        headers = login() | {"X-Forwarded-Proto": proto, "X-Forwarded-For": "192.0.2.7"}
        assert get(window, headers, url="http://survey.northwind.example").status_code == status


def test_at_localhost_plain_http_is_fine(redis_url: str) -> None:
    window = make_window(redis_url, PUBLIC_URL="http://localhost:8000")
    assert get(window, login(), url="http://localhost:8000", REMOTE_ADDR="172.17.0.1").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (proxied("anna@northwind.example"), 200),
        (proxied("anna@northwind.example", "wrong-secret-0123456789"), 403),
        (proxied("anna@northwind.example", ""), 403),
        (proxied(None), 403),
        (proxied(""), 403),
        (proxied("eve@elsewhere.example,anna@northwind.example"), 403),
        ({"X-Forwarded-Email": "anna@northwind.example"}, 403),
        (login(), 403),
        ({}, 403),
    ],
)
def test_a_login_proxy_needs_its_secret_and_names_one_user(
    redis_url: str, headers: dict[str, str], status: int
) -> None:
    window = make_window(redis_url, OPERATOR_LOGINS="", OPERATOR_PROXY_SECRET=PROXY_SECRET)
    response = get(window, headers)
    assert response.status_code == status
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    ("may_act", "status"),
    [("", 403), ("ben@northwind.example", 403), ("Anna@Northwind.example, x@y.example", 303), ("*", 303)],
)
def test_users_of_the_proxy_act_if_they_are_named(redis_url: str, may_act: str, status: int) -> None:
    window = make_window(
        redis_url,
        OPERATOR_LOGINS="",
        OPERATOR_PROXY_SECRET=PROXY_SECRET,
        OPERATOR_PROXY_HEADER="Remote-User",
        OPERATOR_PROXY_ACT=may_act,
    )
    headers = proxied("anna@northwind.example", header="Remote-User")
    assert window.get(VIEW, base_url=PUBLIC_URL, headers=headers).status_code == 200
    response = window.post(VIEW, base_url=PUBLIC_URL, headers=headers | SAME_SITE, data={"all": "1"})
    assert response.status_code == status


def test_guesses_of_the_proxys_secret_are_limited(redis_url: str) -> None:
    window = make_window(redis_url, OPERATOR_LOGINS="", OPERATOR_PROXY_SECRET=PROXY_SECRET)
    guesses = [get(window, proxied("anna", "wrong-secret-0123456789")) for _ in range(MAX_FAILED_LOGINS + 1)]
    assert [each.status_code for each in guesses] == [403] * MAX_FAILED_LOGINS + [429]


def test_passwords_and_the_proxy_work_side_by_side(redis_url: str) -> None:
    window = make_window(redis_url, OPERATOR_PROXY_SECRET=PROXY_SECRET)
    assert look(window, VIEW).status_code == 200
    assert get(window, proxied("carol@northwind.example")).status_code == 200


def test_the_window_is_at_its_own_host_only(redis_url: str) -> None:
    window = make_window(redis_url, OPERATOR_URL=OWN_URL)
    assert look(window, VIEW, url=OWN_URL).status_code == 200
    for path in (VIEW, "/operator"):
        found, unknown = (window.get(each, base_url=PUBLIC_URL, headers=login()) for each in (path, "/nothing"))
        assert (found.status_code, found.data, found.headers) == (404, unknown.data, unknown.headers)
    assert look(window, VIEW, url="https://elsewhere.example").status_code == 400
    assert window.get("/s/x", base_url=OWN_URL).status_code == 400, "no survey page is at that host"


def test_at_public_url_other_hosts_are_refused(window: FlaskClient) -> None:
    assert look(window, VIEW, url="https://elsewhere.example").status_code == 400


def test_secrets_of_the_window_are_compared_in_constant_time(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    window = make_window(redis_url, OPERATOR_LOGINS=LOGINS, OPERATOR_PROXY_SECRET=PROXY_SECRET)
    compared: list[Any] = []
    inner = hmac.compare_digest

    def compare(ours: Any, theirs: Any) -> bool:
        compared.append(theirs)
        return inner(ours, theirs)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    get(window, proxied("anna", "guessed-secret"))
    assert PROXY_SECRET.encode() in compared
    compared.clear()
    get(window, basic("anna", "wrong"))
    assert PASSWORD_HASH in compared
    compared.clear()


def test_pages_have_strict_headers(window: FlaskClient) -> None:
    headers = look(window, VIEW).headers
    assert headers["Cache-Control"] == "no-store"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Strict-Transport-Security"]
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert len(headers.get_all("Referrer-Policy")) == 1
