"""Every route is listed here with its protection. A new route fails this test until it is listed."""

import pytest
from flask import Flask

from service.web.app import create_app
from tests.processes import PUBLIC_URL, settings_for
from tests.web.operator.window_client import LOGINS

SIGNED_BY_DIXA = "Dixa's signature over the raw body (401 without)"
SIGNED_BY_US = "our signature in the token (404 without)"
BY_TOKEN = "a token of our settings (401 without); no such page unless it is set"
LOGIN = "a password, or a login proxy's secret (401 without)"
LOGIN_THAT_ACTS = "the same, with the role act, and a post of our own page (403 without)"
PUBLIC = "reveals nothing and accepts nothing"

ROUTES = {
    ("POST", "/webhooks/dixa"): SIGNED_BY_DIXA,
    ("GET", "/cards/dixa"): BY_TOKEN,
    ("POST", "/cards/dixa"): BY_TOKEN,
    ("GET", "/s/<token>"): SIGNED_BY_US,
    ("POST", "/s/<token>"): SIGNED_BY_US,
    ("GET", "/s/<token>/stop"): SIGNED_BY_US,
    ("POST", "/s/<token>/stop"): SIGNED_BY_US,
    ("GET", "/metrics"): BY_TOKEN,
    ("GET", "/api/v1/surveys"): BY_TOKEN,
    ("GET", "/api/v1/surveys/<conversation>"): BY_TOKEN,
    ("GET", "/api/v1/answers"): BY_TOKEN,
    ("GET", "/"): PUBLIC,
    ("GET", "/openapi.yaml"): PUBLIC,
    ("GET", "/privacy"): PUBLIC,
    ("GET", "/accessibility"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/operator"): LOGIN,
    ("POST", "/operator"): LOGIN_THAT_ACTS,
    ("GET", "/operator/funnel"): LOGIN,
    ("GET", "/operator/results"): LOGIN,
    ("GET", "/operator/answers"): LOGIN,
    ("GET", "/operator/story"): LOGIN,
    ("GET", "/operator/failed"): LOGIN,
    ("GET", "/operator/set-up"): LOGIN,
    ("POST", "/operator/failed"): LOGIN_THAT_ACTS,
}
REFUSED_WITH = {SIGNED_BY_DIXA: 401, SIGNED_BY_US: 404, BY_TOKEN: 401, LOGIN: 401, LOGIN_THAT_ACTS: 401}

ALL_PAGES = {
    "METRICS_TOKEN": "a-token-of-prometheus-0123456789",
    "API_READ_TOKEN": "a-token-of-programs-0123456789",
    "DIXA_CARD_TOKEN": "a-token-of-the-card-0123456789",
    "OPERATOR_LOGINS": LOGINS,
}
"""Settings without which a page is missing."""


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(settings_for("redis://127.0.0.1:1/0", **ALL_PAGES))


def test_every_route_is_listed_with_its_protection(app: Flask) -> None:
    found = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    assert {(method, path) for method, path in found if method not in {"HEAD", "OPTIONS"}} == set(ROUTES)


def test_a_route_without_its_token_does_not_exist() -> None:
    rules = {rule.rule for rule in create_app(settings_for("redis://127.0.0.1:1/0")).url_map.iter_rules()}
    assert not {path for (_, path), guard in ROUTES.items() if guard in {BY_TOKEN, LOGIN}} & rules


def test_head_equals_get_and_options_has_no_body(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert ("HEAD" in (rule.methods or ())) == ("GET" in (rule.methods or ()))
        assert app.test_client().options(rule.rule, base_url=PUBLIC_URL).data == b""


@pytest.mark.parametrize("route", [route for route, guard in ROUTES.items() if guard in REFUSED_WITH])
def test_guarded_route_refuses_a_request_without_credentials(app: Flask, route: tuple[str, str]) -> None:
    method, path = route
    json: dict[str, str] | None = {} if "webhooks" in path else None
    headers = {"Sec-Fetch-Site": "same-origin"}
    response = app.test_client().open(path, method=method, base_url=PUBLIC_URL, json=json, headers=headers)
    assert response.status_code == REFUSED_WITH[ROUTES[route]]
