"""A post counts only if it comes from a page of the window: browsers send a Basic login along with any post."""

import pytest
import redis
from flask.testing import FlaskClient

from tests.web.operator.window_client import SAME_SITE, act, login, look, make_window

VIEW = "/operator/failed"
OWN, OWN_PAGE = "https://survey.northwind.example", "https://survey.northwind.example/operator/failed"
ACCEPTED: list[dict[str, str]] = [
    SAME_SITE,
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": OWN},
    {"Origin": f"{OWN}:443"},
    {"Origin": "https://SURVEY.northwind.example"},
    {"Referer": OWN_PAGE},
]
REFUSED: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    {"Sec-Fetch-Site": "unknown"},
    {"Origin": "null"},
    {"Origin": "null", "Referer": OWN_PAGE},
    {"Origin": "https://evil.example"},
    {"Origin": "https://evil.example", "Referer": OWN_PAGE},
    {"Origin": "http://survey.northwind.example"},
    {"Origin": f"{OWN}:8443"},
    {"Origin": f"{OWN}.evil.example"},
    {"Origin": "https://evil.example/survey.northwind.example"},
    {"Origin": "https://[::1"},
    {"Origin": f"{OWN}:99999"},
    {"Referer": "https://evil.example/"},
    {"Referer": "https://evil.example/?https://survey.northwind.example/"},
    {"Referer": "not a URL"},
]


@pytest.mark.parametrize("headers", ACCEPTED)
def test_a_post_of_our_own_page_is_taken(window: FlaskClient, headers: dict[str, str]) -> None:
    assert act(window, VIEW, {"all": "1"}, headers=headers).status_code == 303


@pytest.mark.parametrize("headers", REFUSED)
def test_a_post_of_another_site_is_refused(window: FlaskClient, headers: dict[str, str]) -> None:
    response = act(window, VIEW, {"all": "1"}, headers=headers)
    assert response.status_code == 403
    assert "another page than ours" in response.text


def test_another_site_learns_nothing_about_logins(window: FlaskClient) -> None:
    """Its post is refused before the password is looked at, so it can't find out whether somebody is logged in."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    with_login = act(window, VIEW, headers=headers)
    without = window.post(VIEW, base_url=OWN, headers=headers)
    assert (with_login.status_code, with_login.data) == (without.status_code, without.data)


def test_a_get_may_come_from_anywhere_and_changes_nothing(window: FlaskClient, keys: redis.Redis) -> None:
    before = keys.keys("*")
    assert look(window, VIEW, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert keys.keys("*") == before


def test_the_own_page_is_that_of_the_windows_host(redis_url: str) -> None:
    own = "https://admin.northwind.example:8443"
    window = make_window(redis_url, OPERATOR_URL=own)
    for origin, status in ((own, 303), (OWN, 403), ("https://admin.northwind.example", 403)):
        response = window.post(VIEW, base_url=own, headers=login() | {"Origin": origin}, data={"all": "1"})
        assert response.status_code == status
