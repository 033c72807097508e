"""Forms that the page accepts or refuses. A refused form is shown filled in."""

from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.records.link_guard import MAX_POSTS
from service.records.records import Records
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from service.web import page_texts
from service.web.posted_form import MAX_FORM_BYTES
from tests.polling import eventually
from tests.processes import RedisServer
from tests.web.survey_client import COMMENT, LINK, NEW_ENOUGH, SHOWN, chosen, dump, get, make_client, post, sign

KIND = "application/x-www-form-urlencoded"


def test_form_has_maximum_size(client: FlaskClient, keys: "redis.Redis") -> None:
    start, kind = b"rating=4&x=", KIND
    largest = start + b"a" * (MAX_FORM_BYTES - len(start))
    too_large = post(client, largest + b"a", content_type=kind)
    assert too_large.status_code == 413
    assert "2,000 characters or fewer" in too_large.text
    assert dump(keys) == {}
    assert post(client, largest, content_type=kind).status_code == 303
    assert post(client, {"rating": "4", "comment": "🙂" * 2000}).status_code == 303


@pytest.mark.parametrize("letter", ["x", "ü", "🙂"])
def test_much_too_long_comment_is_shown_again(client: FlaskClient, letter: str) -> None:
    comment = letter * 20_000
    response = post(client, {"rating": "2", "comment": comment})
    assert response.status_code == 422
    assert chosen(response) == ["2"]
    assert f">\n{comment}</textarea>" in response.text


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        (b"rating=4&comment=%s", ["4"]),
        (b"rating=4&rating=4&comment=%s", ["4"]),
        (b"rating=4&rating=5&comment=%s", []),
        (b"rating=9&comment=%s", []),
        (b"comment=%s&rating=4", []),
        (b"rating=4%s", []),
    ],
)
def test_too_large_form_keeps_rating(client: FlaskClient, form: bytes, kept: list[str]) -> None:
    """The rating comes before the comment, in the bytes that are read."""
    response = post(client, form % (b"a" * MAX_FORM_BYTES), content_type=KIND)
    assert (response.status_code, chosen(response)) == (413, kept)


def test_post_over_limit_is_429_and_filled_in(client: FlaskClient, keys: "redis.Redis") -> None:
    for _ in range(MAX_POSTS):
        assert post(client, {"rating": "4"}).status_code == 303
    before = dump(keys)
    for form in ({"rating": "2", "comment": COMMENT}, {"rating": "2", "comment": COMMENT + "x" * 3000}):
        busy = post(client, form)
        assert busy.status_code == 429
        assert 0 < int(busy.headers["Retry-After"]) <= 60
        assert "Your answer is not saved. Please try again." in busy.text
        assert chosen(busy) == ["2"]
        assert SHOWN in busy.text
    assert dump(keys) == before
    assert 0 < keys.pttl("afterword:posted:81000") <= 60_000
    assert post(client, {"rating": "4"}, sign(replace(LINK, survey_id="81001"))).status_code == 303
    keys.delete("afterword:posted:81000")
    assert post(client, {"rating": "2"}).status_code == 303


def test_counter_without_expiry_gets_expiry(client: FlaskClient, keys: "redis.Redis") -> None:
    post(client, {"rating": "4"})
    keys.persist("afterword:posted:81000")
    post(client, {"rating": "4"})
    assert keys.pttl("afterword:posted:81000") > 0


def test_without_redis_each_process_counts_posts(own_redis: RedisServer, tmp_path: Path) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    client.application.extensions["afterword"].spool.prepare()
    own_redis.stop()
    responses = [post(client, {"rating": "4", "comment": COMMENT * 20}) for _ in range(MAX_POSTS + 1)]
    assert [response.status_code for response in responses] == [303] * MAX_POSTS + [429]
    assert 0 < int(responses[-1].headers["Retry-After"]) <= 60
    assert post(client, {"rating": "4"}, sign(replace(LINK, survey_id="81001"), at=NEW_ENOUGH)).status_code == 303
    assert len(list((tmp_path / "spool").glob("*.json"))) == 2


def test_form_after_unexpected_error_is_filled_in(
    client: FlaskClient, keys: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    """The record is invalid here."""
    broken = {"v": "1", "survey_id": "81000", "conversation_id": "81000", "accepted_at": "1", "offer_state": "odd"}
    keys.hset("afterword:survey:81000", mapping=broken)  # type: ignore[arg-type]
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    for form in ({"rating": "4", "comment": COMMENT}, {"rating": "4", "comment": COMMENT + "x" * 3000}):
        response = post(client, form, query_string={"lang": "da"})
        assert response.status_code == 500
        assert load_language("da").translate(page_texts.NOT_SAVED) in response.text
        assert chosen(response) == ["4"]
        assert SHOWN in response.text
        assert response.headers["Cache-Control"] == "no-store"
    assert "Something went wrong" in get(client).text
    assert post(client, b"x" * (MAX_FORM_BYTES + 1), content_type=KIND).status_code == 500
    assert COMMENT not in caplog.text


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({}, None),
        ({"rating": "6"}, None),
        ({"rating": "4", "comment": "x" * 2001}, None),
        ({"comment": COMMENT}, None),
        (b"rating=4&rating=5", "application/x-www-form-urlencoded"),
        (b'{"rating": 4}', "application/json"),
        (b"rating=4", "text/plain"),
        (b"rating=4", ""),
        (
            b'--b\r\nContent-Disposition: form-data; name="rating"\r\n\r\n4\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (b"--" * 8000, "multipart/form-data; boundary=-"),
        (b"", "multipart/form-data"),
    ],
    ids=repr,
)
def test_form_of_other_type_is_shown_again(
    client: FlaskClient, form: object, kind: str | None, keys: "redis.Redis"
) -> None:
    response = post(client, form, content_type=kind)
    assert response.status_code == 422
    assert "There is a problem" in response.text
    assert dump(keys) == {}


def test_form_of_many_fields_is_refused(client: FlaskClient, keys: "redis.Redis") -> None:
    """Parsing 131,000 fields would take a tenth of a second, also for a rate-limited link."""
    kind = "application/x-www-form-urlencoded"
    for body in (b"rating=4&" + b"a&" * 130_000, b"&" * 200_000, b"rating=4" + b"&a=b" * 50):
        assert post(client, body, content_type=kind).status_code == 400
    assert dump(keys) == {}
    assert post(client, b"rating=4" + b"&a=b" * 40, content_type=kind).status_code == 303


def test_invalid_utf8_is_replaced(client: FlaskClient, records: Records) -> None:
    body = b"rating=4&comment=a%FFb\xff%C3%A6"
    assert post(client, body, content_type="application/x-www-form-urlencoded").status_code == 303
    kept = records.load("81000")
    assert kept
    assert kept.answered.comment == "a\ufffdb\ufffdæ"


def test_form_with_error_keeps_typed_text(client: FlaskClient) -> None:
    assert SHOWN in post(client, {"comment": COMMENT}).text


def test_without_redis_form_is_503_and_filled_in(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    own_redis.stop()
    assert get(client).status_code == 200
    response = post(client, {"rating": "4", "comment": COMMENT})
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "Your answer is not saved" in response.text
    assert chosen(response) == ["4"]
    assert SHOWN in response.text
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert post(client, {"rating": "4", "comment": COMMENT}).status_code == 303


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 303), ("same-origin", 303), ("none", 303)]
)
def test_cross_site_form_is_refused(client: FlaskClient, keys: "redis.Redis", site: str, status: int) -> None:
    response = post(client, {"rating": "4", "comment": COMMENT}, headers={"Sec-Fetch-Site": site})
    assert response.status_code == status
    assert bool(dump(keys)) is (status == 303)
    if status == 403:
        assert SHOWN in response.text


def test_filled_honeypot_gets_thanks_and_is_suspect(client: FlaskClient, keys: "redis.Redis") -> None:
    assert post(client, {"rating": "4", "website": "https://spam.example"}).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == b"1"


def test_three_questions_have_three_fields(client: FlaskClient, records: Records) -> None:
    rating_id = LINK.offers[0].rating_id
    kinds = (RatingType.NPS, RatingType.CSAT, RatingType.THUMBS)
    token = sign(replace(LINK, offers=tuple(Offer(kind, rating_id) for kind in kinds)))
    assert post(client, {"rating": "9", "rating_thumbs": "0"}, token).status_code == 303
    kept = records.load("81000")
    assert kept
    assert kept.answered.scores == {RatingType.NPS: 9, RatingType.THUMBS: 0}
