"""What the page's form takes and refuses, and what comes back filled in when it can't be kept."""

from dataclasses import replace

import pytest
import redis
from flask.testing import FlaskClient

from config.surveys import RatingType
from service.surveys.model import Offer
from service.surveys.records import Records
from service.web.survey import LARGEST_FORM
from tests.polling import eventually
from tests.running import RedisServer
from tests.web.visits import COMMENT, LINK, SHOWN, chosen, dump, get, make_client, post, sign


def test_a_form_may_be_as_large_as_its_longest_comment_and_no_larger(client: FlaskClient, keys: "redis.Redis") -> None:
    start, kind = b"rating=4&x=", "application/x-www-form-urlencoded"
    largest = start + b"a" * (LARGEST_FORM - len(start))
    too_large = post(client, largest + b"a", content_type=kind)
    assert too_large.status_code == 413
    assert "2,000 characters or fewer" in too_large.text
    assert dump(keys) == {}
    assert post(client, largest, content_type=kind).status_code == 303
    assert post(client, {"rating": "4", "comment": "🙂" * 2000}).status_code == 303


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
def test_another_form_is_shown_again(client: FlaskClient, form: object, kind: str | None, keys: "redis.Redis") -> None:
    answer = post(client, form, content_type=kind)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text
    assert dump(keys) == {}


def test_what_was_typed_is_in_the_form_that_is_shown_again(client: FlaskClient) -> None:
    assert SHOWN in post(client, {"comment": COMMENT}).text


def test_without_redis_the_page_is_shown_and_a_form_comes_back_filled_in(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    own_redis.stop()
    assert get(client).status_code == 200
    answer = post(client, {"rating": "4", "comment": COMMENT})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Your answer is not saved" in answer.text
    assert chosen(answer) == ["4"]
    assert SHOWN in answer.text
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert post(client, {"rating": "4", "comment": COMMENT}).status_code == 303


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 303), ("same-origin", 303), ("none", 303)]
)
def test_only_our_own_page_sends_the_form(client: FlaskClient, keys: "redis.Redis", site: str, status: int) -> None:
    answer = post(client, {"rating": "4", "comment": COMMENT}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == status
    assert bool(dump(keys)) is (status == 303)
    if status == 403:
        assert SHOWN in answer.text


def test_a_machine_that_fills_in_every_field_is_thanked_and_marked(client: FlaskClient, keys: "redis.Redis") -> None:
    assert post(client, {"rating": "4", "website": "https://spam.example"}).status_code == 303
    assert keys.hget("afterword:survey:81000", "suspect") == b"1"


def test_a_survey_of_three_questions_names_a_field_for_each(client: FlaskClient, records: Records) -> None:
    rating_id = LINK.offers[0].rating_id
    kinds = (RatingType.NPS, RatingType.CSAT, RatingType.THUMBS)
    token = sign(replace(LINK, offers=tuple(Offer(kind, rating_id) for kind in kinds)))
    assert post(client, {"rating": "9", "rating_thumbs": "0"}, token).status_code == 303
    kept = records.load("81000")
    assert kept
    assert kept.answered.scores == {RatingType.NPS: 9, RatingType.THUMBS: 0}
