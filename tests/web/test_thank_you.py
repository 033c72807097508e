"""Customers with a matching score get the team's thank-you page."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Close
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.survey_client import LINK, TOKEN, follow, get, make_client, post
from tests.web.test_survey import begin_to_submit, cancel

CSAT = RatingType.CSAT
PAGE = "https://reviews.example:8443/northwind?a=1&b=2"


@pytest.fixture
def client(redis_url: str, keys: "redis.Redis") -> FlaskClient:
    return make_client(redis_url, THANK_YOU_HOSTS="reviews.example, shop.example")


def keep_terms(records: Records, *after: OnAnswer) -> None:
    """Save a record with these terms for the link."""
    terms = Survey(on_answer=after, editable_for=timedelta(minutes=5))
    records.accept(Close(81000, datetime.now(UTC)), [terms])
    records.save_answer(GivenAnswer(LINK, terms, {CSAT: 3}, "", "en"))
    long_ago = to_ms(datetime.now(UTC) - timedelta(minutes=5))
    records._redis.hset("afterword:survey:81000", "delivered_at", long_ago)


def test_thanks_link_to_thank_you_page(client: FlaskClient, records: Records) -> None:
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE))
    assert "reviews.example" not in get(client).text
    response = post(client, {"rating": "5"})
    assert response.headers["Location"] == f"/s/{TOKEN}"
    page = get(client).text
    assert f'<a href="{PAGE.replace("&", "&amp;")}">Continue to reviews.example:8443</a>' in page
    assert "Your answer “Very satisfied” is saved." in page
    post(client, {"rating": "4"})
    assert "reviews.example" not in get(client).text


def test_recorded_page_links_to_thank_you_page(client: FlaskClient, records: Records) -> None:
    keep_terms(records, OnAnswer((3,), CSAT, thank_you=PAGE))
    records._redis.hset("afterword:survey:81000", "answer_due", "0")
    claim = records.claim(Journey.ANSWER, "81000")
    assert claim
    records.begin_call(claim, CSAT, (), timedelta())
    page = get(client).text
    assert "can no longer be changed" in page
    assert "Continue to reviews.example:8443" in page


def jump_of(response: TestResponse) -> list[str]:
    return re.findall(r'<meta http-equiv=refresh content="0;url=([^"]*)">', response.text)


def test_first_thanks_redirect_if_set(client: FlaskClient, records: Records) -> None:
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE, redirect=True))
    for _ in range(2):
        thanks = follow(client, post(client, {"rating": "5"}))
        assert jump_of(thanks) == [PAGE.replace("&", "&amp;")]
        assert "Your answer “Very satisfied” is saved." in thanks.text
        assert "Continue to reviews.example:8443" in thanks.text
    record = records.load("81000")
    assert record
    assert record.answered.scores == {CSAT: 5}
    assert jump_of(follow(client, post(client, {"rating": "1"}))) == []


def test_recorded_thanks_redirect_if_set(client: FlaskClient, records: Records) -> None:
    """With `editable_for = "0s"` an answer is final at once."""
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE, redirect=True))
    saved = post(client, {"rating": "5"})
    records._redis.hset("afterword:survey:81000", "answer_due", "1")
    thanks = follow(client, saved)
    assert "Your answer “Very satisfied” is recorded." in thanks.text
    assert jump_of(thanks) == [PAGE.replace("&", "&amp;")]
    assert jump_of(get(client)) == []


def test_return_change_and_addition_do_not_redirect(client: FlaskClient, records: Records) -> None:
    keep_terms(records, OnAnswer((4, 5), CSAT, thank_you=PAGE, redirect=True))
    post(client, {"rating": "5"})
    shown = [
        get(client),
        get(client, query_string={"change": 1}),
        follow(client, post(client, {"rating": "5", "more": "1"})),
        follow(client, post(client, {"rating": "5", "comment": "Fint", "add": "1"})),
        follow(client, post(client, {"rating": "4"}, query_string={"change": 1})),
    ]
    assert [jump_of(each) for each in shown] == [[]] * 5
    assert "Continue to reviews.example:8443" in shown[-1].text


@pytest.mark.parametrize("query", [{"onward": "1"}, {"onward": "1", "receipt": "forged"}, {"onward": PAGE}])
def test_other_scores_do_not_redirect(client: FlaskClient, records: Records, query: dict[str, str]) -> None:
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE, redirect=True))
    assert jump_of(get(client, query_string=query)) == []
    post(client, {"rating": "5"})
    begin_to_submit(records)
    assert jump_of(get(client, query_string=query)) == []


def test_spooled_answer_redirects(own_redis: RedisServer, tmp_path: Path) -> None:
    surveys = tmp_path / "surveys.toml"
    surveys.write_text(
        f'[[survey]]\nname = "default"\n[[survey.on_answer]]\nscores = [5]\nthank_you = "{PAGE}"\nredirect = true\n'
    )
    client = make_client(
        own_redis.url,
        SPOOL_DIR=str(tmp_path / "spool"),
        SURVEYS_FILE=str(surveys),
        THANK_YOU_HOSTS="reviews.example",
    )
    client.application.extensions["afterword"].spool.prepare()
    own_redis.stop()
    thanks = follow(client, post(client, {"rating": "5"}))
    assert jump_of(thanks) == [PAGE.replace("&", "&amp;")]
    assert "Your answer “Very satisfied” is saved." in thanks.text
    assert jump_of(follow(client, post(client, {"rating": "4"}))) == []


def test_unsaved_answer_does_not_redirect(client: FlaskClient, records: Records) -> None:
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE, redirect=True))
    for form in ({}, {"rating": "9"}, {"rating": "5", "comment": "x" * 3000}):
        response = post(client, form)
        assert response.status_code == 422
        assert jump_of(response) == []
    records._redis.delete("afterword:survey:81000")
    cancel(records, Reason.ERASED)
    assert post(client, {"rating": "5"}).status_code == 410


def test_form_never_redirects_to_other_host(client: FlaskClient, records: Records) -> None:
    """Browsers apply `form-action` to each redirect after a form, and a host's own redirects can't be listed."""
    keep_terms(records, OnAnswer((5,), CSAT, thank_you=PAGE, redirect=True), OnAnswer((4,), CSAT, thank_you=PAGE))
    for query in ({}, {"change": "1"}, {"onward": "1"}):
        assert "form-action 'self';" in get(client, query_string=query).headers["Content-Security-Policy"]


def test_removed_thank_you_host_is_not_linked(client: FlaskClient, records: Records) -> None:
    elsewhere = "https://reviews.example.evil.example/"
    keep_terms(records, OnAnswer((3, 5), CSAT, thank_you=elsewhere, redirect=True))
    assert post(client, {"rating": "5"}).headers["Location"] == f"/s/{TOKEN}"
    page = get(client)
    assert "evil" not in page.text + page.headers["Content-Security-Policy"]


def test_without_thank_you_page_nothing_changes(client: FlaskClient) -> None:
    assert post(client, {"rating": "5"}).headers["Location"] == f"/s/{TOKEN}"
    assert "Continue to" not in get(client).text
    assert client.get("/", base_url=PUBLIC_URL).status_code == 200
