"""The privacy text of a survey: purpose, last day to answer, retention."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient

from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import Close, Decision
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from service.texts.catalog import load_language
from service.web import page_texts
from tests.web.survey_client import TOKEN, get, make_client, post, sign, words_of
from tests.web.test_survey import begin_to_submit, cancel

NOON = datetime.now(UTC).replace(hour=13, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""A link made then has expired in no time zone."""
KEPT = "Our copy is deleted 90 days after the survey ends."


def until(expires: timedelta, issued_at: datetime = NOON) -> str:
    """Return the sentence with the last day that ends in UTC-12 before the link expires."""
    last = (issued_at + expires - timedelta(hours=12)).date() - timedelta(days=1)
    return words_of(f"You can answer until {load_language('en').format_date(last)}.")


def test_privacy_text_states_purpose_readers_and_end(client: FlaskClient) -> None:
    text = load_language("en").translate(page_texts.PRIVACY, brand="Support")
    page = words_of(get(client, sign(at=NOON)).text)
    assert f"{text} {until(timedelta(days=28))} {KEPT} Privacy noticeAccessibilityStop asking me" in page
    for words in ("up to you", "to improve its support", "the support team can see it", "No cookies, no tracking"):
        assert words in text


def test_last_day_has_ended_everywhere_before_link_expires(client: FlaskClient) -> None:
    """In UTC-12 a day ends twelve hours after UTC's."""
    noons = [NOON + timedelta(number) for number in range(40)]
    days = {words_of(load_language("en").format_date(each.date())): each for each in noons}
    for hour in range(24):
        issued_at = NOON.replace(hour=hour)
        (date,) = re.findall(r"You can answer until ([^.]*)\.", words_of(get(client, sign(at=issued_at)).text))
        ends = days[date].replace(hour=0) + timedelta(days=1, hours=12)
        assert timedelta() <= issued_at + timedelta(days=28) - ends < timedelta(days=1)


def test_last_day_follows_terms_of_record(client: FlaskClient, records: Records) -> None:
    records.accept(Close(81000, NOON), [Survey(expires=timedelta(days=7))])
    assert until(timedelta(days=7)) in words_of(get(client, sign(at=NOON)).text)


@pytest.mark.parametrize("expires", [timedelta(minutes=1), timedelta(hours=12)])
def test_last_day_is_missing_without_a_whole_day_left(
    client: FlaskClient, records: Records, expires: timedelta
) -> None:
    now = datetime.now(UTC)
    records.accept(Close(81000, now), [Survey(expires=expires)])
    assert "You can answer until" not in get(client, sign(at=now)).text


@pytest.mark.parametrize(
    ("keep", "expires", "days"),
    [("90d", timedelta(days=28), "90"), ("30d", timedelta(days=60), "61"), ("90d", timedelta(days=90, hours=1), "92")],
)
def test_page_states_the_retention_of_the_record(
    redis_url: str, keys: redis.Redis, records: Records, keep: str, expires: timedelta, days: str
) -> None:
    client, terms = make_client(redis_url, RECORD_RETENTION=keep), Survey(delay=timedelta(), expires=expires)
    records.accept(Close(81000, NOON), [terms])
    assert f"is deleted {days} days after the survey ends." in words_of(get(client).text)
    kept: Records = client.application.extensions["afterword"].records
    claim = kept.claim(Journey.OFFER, "81000")
    assert claim
    kept.decide(claim, Decision(Verdict.SKIP, Reason.NO_SURVEY_MATCHES), "")
    left = timedelta(milliseconds=keys.pttl("afterword:survey:81000"))
    assert timedelta() <= timedelta(days=int(days)) - left < timedelta(days=1)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_states_retention(code: str) -> None:
    text = load_language(code).translate(page_texts.KEPT_FOR, time=load_language(code).format_days(timedelta(days=90)))
    assert "90\xa0" in text


def test_privacy_text_is_on_every_page_of_a_survey(redis_url: str, keys: redis.Redis, records: Records) -> None:
    client = make_client(redis_url, PRIVACY_URL="https://northwind.example/privacy")
    notice = '<a href="https://northwind.example/privacy">Privacy notice</a>'
    begin_to_submit(records)
    for html in (get(client).text, post(client, {"rating": "4", "comment": "late"}).text):
        assert f"No cookies, no tracking. {KEPT} Privacy notice" in words_of(html)
        assert notice in html
    for path in (f"{TOKEN}/stop", sign(at=NOON - timedelta(days=40))):
        assert notice in get(client, path).text
    assert "No cookies" not in get(client, "nothing").text


def test_privacy_text_is_missing_without_answer(client: FlaskClient, records: Records) -> None:
    stop, closed, nothing = f"{TOKEN}/stop", sign(at=NOON - timedelta(days=40)), "nothing"
    pages = [get(client, path).text for path in (stop, closed, nothing)] + [post(client, {}, stop).text]
    cancel(records, Reason.ERASED)
    for html in (*pages, get(client).text):
        footer = words_of(html.partition("<footer>")[2])
        assert "answer" not in footer
        assert "copy" not in footer


def test_every_other_page_links_to_opt_out(client: FlaskClient, records: Records) -> None:
    link, closed = f'<a href="/s/{TOKEN}/stop?lang=da">', sign(at=NOON - timedelta(days=40))
    danish = {"lang": "da"}
    assert link in get(client, query_string=danish).text
    assert f'<a href="/s/{closed}/stop">' in get(client, closed).text
    assert link in post(client, {}, query_string=danish).text
    assert link in post(client, {"lang": "da"}).text
    assert get(client, f"{TOKEN}/stop?lang=da").text.count("/stop") == 1  # The form's action.
    begin_to_submit(records)
    assert link in get(client, query_string=danish).text
    assert "/stop" not in get(client, "nothing").text


def test_erased_page_states_no_retention(client: FlaskClient, records: Records) -> None:
    cancel(records, Reason.ERASED)
    page = get(client).text
    assert "Our copy" not in page
    assert "has been deleted" in page


def test_failed_page_does_not_log_link(
    client: FlaskClient, keys: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask logs the path of a failed request. Here the record is invalid."""
    record = {
        "v": "1",
        "survey_id": "81000",
        "conversation_id": "81000",
        "accepted_at": "1",
        "offer_state": "postponed",
    }
    keys.hset("afterword:survey:81000", mapping=record)  # type: ignore[arg-type]
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    assert get(client).status_code == 500
    assert "Exception on /s/***" in caplog.text
    assert TOKEN not in caplog.text


def test_last_day_is_missing_after_answer(client: FlaskClient) -> None:
    token = sign(at=NOON)
    assert until(timedelta(days=28)) in words_of(post(client, {}, token).text)
    post(client, {"rating": "4"}, token)
    for query in ({}, {"change": "1"}):
        html = get(client, token, query_string=query).text
        assert "No cookies, no tracking." in html
        assert "You can answer until" not in html


def test_privacy_notice_is_linked_after_text(redis_url: str, keys: "redis.Redis") -> None:
    html = get(make_client(redis_url, PRIVACY_URL="https://northwind.example/privacy"), sign(at=NOON)).text
    assert f"{until(timedelta(days=28))} {KEPT} Privacy notice" in words_of(html)
