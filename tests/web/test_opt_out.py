"""`/s/<token>/stop`: POST opts out, with or without the page before it. GET doesn't."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Close, Decision
from service.surveys.states import Journey, Verdict
from tests.processes import PUBLIC_URL, patient
from tests.web.states import CONTEXT, SUPPORT_URL, make_app, show
from tests.web.survey_client import LINK, TOKEN, dump, make_client, sign

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
UNDO = {"undo": ""}
PATH = f"/s/{TOKEN}/stop"


@pytest.fixture
def requester(records: Records) -> str:
    """The requester of TOKEN's survey."""
    records.accept(Close(81000, datetime.now(UTC), requester_id="requester-1"), [Survey(delay=timedelta())])
    return "requester-1"


@pytest.fixture
def opt_outs(redis_url: str) -> HashedOptOuts:
    return HashedOptOuts(patient(redis_url))


def stop(client: FlaskClient, data: object = None, **given: object) -> TestResponse:
    return client.post(PATH, base_url=PUBLIC_URL, data=data, **given)


def test_opening_page_opts_nobody_out(client: FlaskClient, requester: str, keys: "redis.Redis") -> None:
    before = dump(keys)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open(PATH, method=method, base_url=PUBLIC_URL).status_code == 200
    page = client.get(PATH, base_url=PUBLIC_URL).text
    assert f'<form method="post" action="{PATH}">' in page
    assert page.count("<button") == 1
    assert dump(keys) == before


def test_button_opts_out(client: FlaskClient, requester: str, opt_outs: HashedOptOuts) -> None:
    response = stop(client)
    assert response.status_code == 200
    assert "You will not be asked again" in response.text
    assert opt_outs.has(requester)
    assert not opt_outs.has("requester-2")


@pytest.mark.parametrize("mimetype", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_of_mail_provider_opts_out(
    client: FlaskClient, requester: str, opt_outs: HashedOptOuts, mimetype: str
) -> None:
    """RFC 8058: a server sends the request, without a cookie or origin, and follows no redirect."""
    odd = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}
    assert stop(client, ONE_CLICK, content_type=mimetype, headers=odd).status_code == 200
    assert opt_outs.has(requester)


def test_opt_out_can_be_undone_and_repeated(client: FlaskClient, requester: str, opt_outs: HashedOptOuts) -> None:
    stop(client)
    for _ in range(2):
        response = stop(client, UNDO)
        assert response.status_code == 200
        assert "You may be asked again" in response.text
        assert "Stop asking me" in response.text
        assert not opt_outs.has(requester)
    stop(client)
    assert opt_outs.has(requester)


def test_page_shows_opt_out_and_undo(client: FlaskClient, requester: str, keys: "redis.Redis") -> None:
    stop(client)
    before = dump(keys)
    for _ in range(2):
        page = client.get(PATH, base_url=PUBLIC_URL)
        assert page.status_code == 200
        assert "You will not be asked again" in page.text
        assert page.text.count("<button") == 1
        assert re.search(r'<button[^>]* name="?undo"?[^>]*>Keep asking me<', page.text)
    assert dump(keys) == before
    stop(client, UNDO)
    assert "Stop being asked for feedback?" in client.get(PATH, base_url=PUBLIC_URL).text


def test_pages_before_and_after_have_different_texts(client: FlaskClient, requester: str) -> None:
    texts = [
        set(re.findall(r"<(?:h1|p|button)[^>]*>([^<]+)<", re.sub(r"(?s)<footer>.*", "", response.text)))
        for response in (client.get(PATH, base_url=PUBLIC_URL), stop(client))
    ]
    assert texts[0]
    assert texts[0] & texts[1] == set()


def two_requesters(records: Records, keys: "redis.Redis", *channels: str) -> str:
    """Accept two closes of requesters with one address. Return the second one's opt-out path."""
    for survey_id, requester_id, channel in zip((81000, 81001), ("requester-1", "requester-2"), channels, strict=True):
        person = ("same-address", requester_id)
        close = Close(
            survey_id, datetime.now(UTC), requester_id=requester_id, person=person, email_hashes=("same-address",)
        )
        records.accept(close, [Survey(delay=timedelta())])
        keys.hset(f"afterword:survey:{survey_id}", "channel", channel)
    return f"/s/{sign(replace(LINK, survey_id='81001', conversation_id=81001))}/stop"


def test_other_requester_of_same_person_can_opt_in(
    client: FlaskClient, records: Records, opt_outs: HashedOptOuts, keys: "redis.Redis"
) -> None:
    """The opt-out covers the shared address, so the other requester's page shows it and can undo it."""
    other = two_requesters(records, keys, "email", "email")
    stop(client)
    assert "You will not be asked again" in client.get(other, base_url=PUBLIC_URL).text
    assert client.post(other, base_url=PUBLIC_URL, data=UNDO).status_code == 200
    assert not opt_outs.has("requester-2", ("same-address", "requester-2"))
    assert opt_outs.has("requester-1")


def test_requester_of_unconfirmed_address_is_referred_to_support(
    client: FlaskClient, records: Records, opt_outs: HashedOptOuts, keys: "redis.Redis"
) -> None:
    other = two_requesters(records, keys, "email", "message")
    stop(client)
    assert "You will not be asked again" in client.get(other, base_url=PUBLIC_URL).text
    response = client.post(other, base_url=PUBLIC_URL, data=UNDO)
    assert (response.status_code, "could not be undone here" in response.text) == (410, True)
    assert opt_outs.has("requester-1", ("same-address",))


def test_opt_out_by_unconfirmed_address_is_for_that_requester_only(
    client: FlaskClient, records: Records, opt_outs: HashedOptOuts, keys: "redis.Redis"
) -> None:
    two_requesters(records, keys, "message", "email")
    stop(client)
    assert opt_outs.has("requester-1")
    assert not opt_outs.has("requester-2", ("same-address",))


@pytest.mark.parametrize(
    "given",
    [
        {"data": {**ONE_CLICK, **UNDO}},
        {"data": b""},
        {"data": b"undo", "content_type": "text/plain"},
        {"data": b"--x\r\nundo", "content_type": "multipart/form-data; boundary=x"},
        {"data": b"undo", "content_type": "multipart/form-data"},
        {"data": {f"field-{number}": "x" for number in range(20)}, "content_type": "multipart/form-data"},
        {"query_string": {"undo": ""}},
    ],
)
def test_any_other_body_opts_out(
    client: FlaskClient, requester: str, opt_outs: HashedOptOuts, given: dict[str, Any]
) -> None:
    stop(client)
    assert client.post(PATH, base_url=PUBLIC_URL, **given).status_code == 200
    assert opt_outs.has(requester)


def test_undo_without_identity_is_refused(client: FlaskClient, keys: "redis.Redis") -> None:
    response = stop(client, UNDO)
    assert response.status_code == 410
    assert "could not be undone here" in response.text


def test_opting_out_twice_is_idempotent(client: FlaskClient, requester: str, keys: "redis.Redis") -> None:
    stop(client)
    before = dump(keys)
    assert stop(client).status_code == 200
    after = dump(keys)
    assert after.keys() == before.keys()
    # The time of the opt-out is that of the last request.
    assert all(b":stopped:" in name for name in after if after[name] != before[name])


def test_opt_out_of_lost_record_is_refused(client: FlaskClient, keys: "redis.Redis") -> None:
    response = stop(client)
    assert response.status_code == 410
    assert "could not be stopped here" in response.text
    assert list(keys.scan_iter("afterword:stop*")) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bad_token_is_not_found(client: FlaskClient, method: str) -> None:
    assert client.open(f"/s/{TOKEN[:-1]}/stop", method=method, base_url=PUBLIC_URL).status_code == 404


def test_unsaved_opt_out_is_reported() -> None:
    client = make_client("redis://127.0.0.1:1/0")
    response = stop(client)
    assert response.status_code == 503
    assert "This is not saved" in response.text
    assert "<button" in response.text


@pytest.mark.parametrize(
    ("spoken", "query", "code"),
    [("", {}, "ar"), ("da-DK", {}, "da"), ("da-DK", {"lang": "fi"}, "fi")],
    ids=["the browser's", "the conversation's", "the query's"],
)
def test_opt_out_page_has_customers_language(
    client: FlaskClient, records: Records, spoken: str, query: dict[str, str], code: str
) -> None:
    records.accept(Close(81000, datetime.now(UTC), requester_id="requester-1"), [Survey(delay=timedelta())])
    claim = records.claim(Journey.OFFER, "81000")
    assert claim
    records.decide(claim, Decision(Verdict.ASK), spoken)
    sent = {"base_url": PUBLIC_URL, "headers": {"Accept-Language": "ar"}, "query_string": query}
    for response in (client.get(PATH, **sent), client.post(PATH, **sent)):
        assert response.status_code == 200
        assert f"<html lang={code}" in response.text
        assert response.headers["Content-Language"] == code


def test_failure_is_first_and_focused() -> None:
    page = stop(make_client("redis://127.0.0.1:1/0")).text
    assert "<title>Error: Stop being asked for feedback? – Support</title>" in page
    box = "<div class=problem role=alert tabindex=-1 autofocus><h2>There is a problem</h2><p>This is not saved."
    assert page.index(box) < page.index("<h1>")


def test_without_redis_button_is_shown() -> None:
    assert make_client("redis://127.0.0.1:1/0").get(PATH, base_url=PUBLIC_URL).status_code == 200


def test_pages_match_states_of_other_tests(redis_url: str, requester: str) -> None:
    """The states of tests/web/states.py, which need no view, are the pages that the views return."""
    brand = {"BRAND_NAME": CONTEXT.brand, "SUPPORT_URL": SUPPORT_URL}
    client, cut_off = make_client(redis_url, **brand), make_client("redis://127.0.0.1:1/0", **brand)
    lost = sign(replace(LINK, survey_id="81001"))
    responses = {
        "stop": client.get(PATH, base_url=PUBLIC_URL),
        "stop-stopped": stop(client),
        "stop-kept": stop(client, UNDO),
        "stop-failed": stop(cut_off),
        "stop-failed-undo": stop(cut_off, UNDO),
        "stop-unknown": client.post(f"/s/{lost}/stop", base_url=PUBLIC_URL),
        "stop-unknown-undo": client.post(f"/s/{lost}/stop", base_url=PUBLIC_URL, data=UNDO),
    }
    for name, response in responses.items():
        with make_app().test_request_context():
            state = show(name)
        html = response.text.replace(TOKEN, "token")
        assert (response.status_code, html) == (state.status_code, state.get_data(as_text=True)), name


@pytest.mark.parametrize("body", [b"x" * 10_000, b"List-Unsubscribe=One-Click&x=" + b"x" * 10_000])
def test_large_body_opts_out(client: FlaskClient, requester: str, opt_outs: HashedOptOuts, body: bytes) -> None:
    """The body isn't read, since a mail program may send anything."""
    assert stop(client, body).status_code == 200
    assert opt_outs.has(requester)
