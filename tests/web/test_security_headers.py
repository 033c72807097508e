"""Every response has security headers and no cookies."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.web import pages, security_headers
from service.web.posted_form import MAX_FORM_BYTES
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.outline import html_of
from tests.web.states import CONTEXT
from tests.web.survey_client import TOKEN, get, make_client, post

STATES: dict[int, Callable[[FlaskClient], TestResponse]] = {
    200: get,
    303: lambda client: post(client, {"rating": "4"}),
    400: lambda client: client.get(f"/s/{TOKEN}", base_url="https://evil.example"),
    403: lambda client: post(client, {"rating": "4"}, headers={"Sec-Fetch-Site": "cross-site"}),
    404: lambda client: get(client, "nothing"),
    405: lambda client: client.put(f"/s/{TOKEN}", base_url=PUBLIC_URL),
    413: lambda client: post(client, {"comment": "x" * MAX_FORM_BYTES}),
    422: lambda client: post(client, {}),
}
OTHER_PATHS = ("/", "/healthz", "/readyz", "/webhooks/dixa", "/nowhere")
REQUIRED = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Language": "en",
}


def assert_protected(response: TestResponse) -> None:
    assert {name: response.headers.get(name) for name in REQUIRED} == REQUIRED
    policy = response.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in response.headers


@pytest.mark.usefixtures("page_context")
def test_page_has_its_security_headers() -> None:
    response = security_headers.add_security_headers(pages.form_page(CONTEXT), public_url=PUBLIC_URL)
    style = re.search(r"<style>(.*?)</style>", html_of(response), re.DOTALL)
    assert style
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert dict(response.headers) | {"Content-Length": ""} == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": "",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Content-Language": "en",
        "Strict-Transport-Security": "max-age=31536000",
    }


@pytest.mark.parametrize("status", STATES)
def test_every_response_of_page_has_security_headers(client: FlaskClient, status: int) -> None:
    response = STATES[status](client)
    assert response.status_code == status
    assert_protected(response)


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_every_other_response_has_security_headers(client: FlaskClient, path: str) -> None:
    assert_protected(client.get(path, base_url=PUBLIC_URL))


def test_hsts_needs_https(redis_server: RedisServer) -> None:
    url = redis_server.new_database()
    assert "Strict-Transport-Security" in get(make_client(url)).headers
    plain = make_client(url, PUBLIC_URL="http://survey.northwind.example")
    assert (
        "Strict-Transport-Security" not in plain.get(f"/s/{TOKEN}", base_url="http://survey.northwind.example").headers
    )
