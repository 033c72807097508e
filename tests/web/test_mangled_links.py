"""Mangled links lead to the clean ones if the token is valid."""

from urllib.parse import quote

import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from service.records.opt_outs import HashedOptOuts
from tests.processes import PUBLIC_URL, patient
from tests.web.survey_client import TOKEN, chosen, dump, get, make_client, post, sign
from tests.web.test_opt_out import ONE_CLICK, requester  # noqa: F401

GLUED = (
    *"!\"'(),.:;<>[]{}*|\\^`~$@+=&",
    *"…‘’‚“”„«»‹›、。）」』》】؟،·–—\u00a0\u200b\u200c\u200d\u200e\u2060\ufeff\u3000\xad\0\n\r\t 🙂éを",
    *(
        ").",
        ".)",
        '">',
        "”.",
        "&quot;",
        "&gt;",
        "%22",
        "%E2%80%9D",
        "</a>",
        "_",
        "-",
        "**",
        ". Thanks",
        ".Thanks",
        ")[1]",
    ),
)
RAW = ("%92", "%ff", "%94.", "%0D%0A", "%e2%80")
"""Invalid or incomplete UTF-8."""
TAILS = [*(quote(each, safe="") for each in GLUED), *RAW, "/.", ".html", ")/", "/x", "/stopp", "/s/x"]


@pytest.fixture(scope="module")
def app(redis_url: str) -> FlaskClient:
    return make_client(redis_url)


@pytest.fixture
def client(app: FlaskClient, keys: "redis.Redis") -> FlaskClient:
    """Empty the database: one app serves all tests of this module."""
    return app


def open_path(client: FlaskClient, path: str, method: str = "GET") -> TestResponse:
    return client.open(path, method=method, base_url=PUBLIC_URL)


def test_clean_link_is_not_redirected(client: FlaskClient) -> None:
    for path in ("", "?r=4", "?r=4.&lang=da)", "/stop", "/stop?lang=da"):
        assert open_path(client, f"/s/{TOKEN}{path}").status_code == 200


@pytest.mark.parametrize("tail", TAILS)
def test_suffix_of_link_is_cut_off(client: FlaskClient, tail: str) -> None:
    for method in ("GET", "HEAD"):
        response = open_path(client, f"/s/{TOKEN}{tail}?r=4&lang=da&utm_source=x", method)
        assert (response.status_code, response.location) == (302, f"/s/{TOKEN}?r=4&lang=da")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
    assert chosen(open_path(client, f"/s/{TOKEN}?r=4&lang=da")) == ["4"]


@pytest.mark.parametrize("glued", [*(quote(each, safe="") for each in GLUED), *RAW, "/."])
def test_opt_out_page_is_found_with_added_characters(client: FlaskClient, glued: str) -> None:
    for path in (f"{TOKEN}{glued}/stop", f"{TOKEN}/stop{glued}", f"{TOKEN}{glued}/stop{glued}"):
        response = open_path(client, f"/s/{path}?lang=da")
        assert (response.status_code, response.location) == (302, f"/s/{TOKEN}/stop?lang=da")


def raw(client: FlaskClient, path: str, method: str) -> TestResponse:
    """Send a path as it is. The test client would take "//s" as a host."""
    return client.open("/", method=method, base_url=PUBLIC_URL, environ_overrides={"PATH_INFO": path})


@pytest.mark.parametrize("path", ["/s//{}", "//s/{}", "/s/{}/", "///s///{}//", "/s/{}//stop", "/s//{}/stop/"])
def test_superfluous_slashes_are_ignored_without_redirect(client: FlaskClient, path: str) -> None:
    """Werkzeug's own redirect would send the token over http://, if a proxy ends TLS."""
    for method in ("GET", "HEAD", "POST"):
        response = raw(client, path.format(TOKEN), method)
        assert response.status_code in ({200, 410} if "stop" in path else {200, 422})
        assert response.location is None


@pytest.mark.parametrize("path", ["/s//{}", "//s/{}", "/s//{}/stop", "/s/x//{}", "//{}", "/s//{}%20x//y"])
def test_invalid_token_is_never_redirected(client: FlaskClient, path: str) -> None:
    for token in WRONG.values():
        for method in ("GET", "POST"):
            response = raw(client, path.format(token), method)
            assert response.status_code == 404
            assert response.location is None


@pytest.mark.parametrize("before", ["%20", "%22", "%E2%80%9C", "(", "<", "%E2%80%8B"])
def test_prefix_of_link_is_cut_off(client: FlaskClient, before: str) -> None:
    assert open_path(client, f"/s/{before}{TOKEN}").location == f"/s/{TOKEN}"


@pytest.mark.parametrize("inside", ["%0D%0A", "%20", "%E2%80%8B", "%C2%AD", "%0D%0A%09"])
def test_line_breaks_in_link_are_removed(client: FlaskClient, inside: str) -> None:
    for place in (1, 30, len(TOKEN) - 1):
        broken = TOKEN[:place] + inside + TOKEN[place:]
        assert open_path(client, f"/s/{broken}?r=2").location == f"/s/{TOKEN}?r=2"
        assert open_path(client, f"/s/{broken}/stop").location == f"/s/{TOKEN}/stop"


def test_query_encoded_into_path_counts(client: FlaskClient) -> None:
    assert open_path(client, f"/s/{TOKEN}%3Fr=4&lang=da").location == f"/s/{TOKEN}?r=4&lang=da"
    assert open_path(client, f"/s/{TOKEN}.%3Fr%3D4)").location == f"/s/{TOKEN}?r=4"


@pytest.mark.parametrize("glued", [*GLUED, "?utm_source=mail", "&amp;x", ". Thanks", ".Thanks"])
def test_suffix_of_score_or_language_is_ignored(client: FlaskClient, glued: str) -> None:
    for query in (f"r=4{quote(glued, safe='')}&lang=da", f"lang=da{quote(glued, safe='')}&r=4", "r=4&amp;lang=da"):
        response = open_path(client, f"/s/{TOKEN}?{query}")
        assert (response.status_code, chosen(response)) == (200, ["4"])
        assert "<html lang=da" in response.text
        assert 'action="?lang=da"' in response.text


@pytest.mark.parametrize("value", ["4.0", "4,5", "44", "4x", "4_5", "-4", "+4", ".4", "04", "4٤", "٤", "x4"])
def test_other_number_is_not_cut_to_score(client: FlaskClient, value: str) -> None:
    assert chosen(get(client, query_string={"r": value})) == []


@pytest.mark.parametrize("tail", [".", "%E2%80%9D", ")/", "%20"])
def test_post_to_mangled_link_is_saved_without_redirect(client: FlaskClient, keys: "redis.Redis", tail: str) -> None:
    response = post(client, {"rating": "4", "comment": "Fint"}, f"{TOKEN}{tail}")
    assert (response.status_code, response.location) == (303, f"/s/{TOKEN}")
    assert keys.hget("afterword:survey:81000", "comment") == b"Fint"


@pytest.mark.parametrize(
    "path", ["./stop", "/stop.", "/stop/", "%20/stop", "/stop%E2%80%9D", "//stop", "/stop%3E", "%252Fstop", "/STOP"]
)
def test_one_click_at_mangled_link_opts_out(
    client: FlaskClient,
    requester: str,  # noqa: F811
    redis_url: str,
    path: str,
) -> None:
    assert client.post(f"/s/{TOKEN}{path}", base_url=PUBLIC_URL, data=ONE_CLICK).status_code == 200
    assert HashedOptOuts(patient(redis_url)).has(requester)


WRONG = {
    "another key": sign(key="a-key-that-we-never-had-0123456789-0123456789"),
    "changed": ("A" if TOKEN[5] != "A" else "B").join((TOKEN[:5], TOKEN[6:])),
    "cut": TOKEN[:-1],
    "longer": TOKEN + "A",
    "longer after a hyphen": TOKEN + "-A",
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG)
def test_mangled_link_with_wrong_signature_is_not_found(client: FlaskClient, token: str, keys: "redis.Redis") -> None:
    unknown = open_path(client, "/s/another-bad-token")
    for path in ("", ".", ")", "%E2%80%9D", "./stop", "/stop.", "/", "%3Fr=4", "%20"):
        for method in ("GET", "POST"):
            response = open_path(client, f"/s/{token}{path}", method)
            assert (response.status_code, response.data) == (404, unknown.data)
            assert {**response.headers} == {**unknown.headers}
    assert dump(keys) == {}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tail=st.text(min_size=1, max_size=12))
def test_any_suffix_redirects_to_clean_link_or_is_not_found(client: FlaskClient, tail: str) -> None:
    response = open_path(client, f"/s/{TOKEN}{quote(tail, safe='')}")
    if tail.lstrip("-_")[:1].isascii() and tail.lstrip("-_")[:1].isalnum():
        assert response.status_code == 404
    else:
        assert (response.location or "").split("?")[0] in {f"/s/{TOKEN}", f"/s/{TOKEN}/stop"}


def test_other_host_is_refused_before_redirect(client: FlaskClient) -> None:
    assert client.get(f"/s/{TOKEN}.", base_url="https://evil.example").status_code == 400
