"""The deadline of an answer on its page, and its extension."""

import re
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.records.records import Records
from service.surveys.definition import SendWindow, Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import AnswerProgress
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from service.web import page_texts
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.survey_client import COMMENT, LINK, SHOWN, TOKEN, chosen, dump, follow, get, make_client, post

CSAT = RatingType.CSAT
KEY = "afterword:survey:81000"
MINUTE = timedelta(minutes=1)


def answer(records: Records, comment: str = "", **terms: object) -> None:
    records.save_answer(GivenAnswer(LINK, Survey(**{"editable_for": 5 * MINUTE, **terms}), {CSAT: 4}, comment, "en"))  # type: ignore[arg-type]


def progress_of(records: Records) -> AnswerProgress:
    record = records.load("81000")
    assert record
    assert record.answer
    return record.answer


def deadline_of(records: Records) -> datetime:
    due_at = progress_of(records).due_at
    assert due_at
    return due_at


def time_left(records: Records) -> timedelta:
    return deadline_of(records) - records.now()


def deadline_on(page: TestResponse, code: str = "en") -> str:
    """Return the sentence about the deadline, or ""."""
    sentence = (
        load_language(code)
        .translate(page_texts.CHANGE_UNTIL, time="TIME", left="LEFT")
        .replace("\N{NO-BREAK SPACE}", " ")
    )
    words = re.escape(sentence)
    found = re.search(words.replace("TIME", "[^<]*?").replace("LEFT", "[^<]*?"), re.sub("</?span>", "", page.text))
    return found[0] if found else ""


@pytest.mark.parametrize("query", [{}, {"change": "1"}, {"r": "2"}])
def test_page_shows_deadline_and_time_left(redis_url: str, records: Records, query: dict[str, str]) -> None:
    client = make_client(redis_url, TIME_ZONE="Asia/Kolkata")
    answer(records)
    clock = deadline_of(records).astimezone(client.application.extensions["afterword"].settings.time_zone)
    assert f"{clock:%H:%M} (in 5 minutes)." in deadline_on(get(client, query_string=query))


@pytest.mark.parametrize("code", LANGUAGES)
def test_deadline_is_shown_in_every_language(client: FlaskClient, records: Records, code: str) -> None:
    answer(records)
    for query in ({}, {"change": "1"}):
        page = get(client, query_string={"lang": code, **query})
        assert re.search(r"\d{1,2}[:.]\d\d", deadline_on(page, code))
        assert re.search(r"\b5\b", deadline_on(page, code))


def test_deadline_is_in_time_zone_of_send_window(client: FlaskClient, records: Records) -> None:
    answer(records, send_window=SendWindow(days=(0,), opens=time(9), closes=time(17), zone="Pacific/Auckland"))
    clock = deadline_of(records).astimezone(ZoneInfo("Pacific/Auckland"))
    assert f"{clock:%H:%M} (in 5 minutes)" in deadline_on(get(client))


def test_deadline_on_other_day_has_date(client: FlaskClient, records: Records) -> None:
    answer(records, editable_for=timedelta(days=7))
    day = load_language("en").format_date(deadline_of(records).date()).replace("\N{NO-BREAK SPACE}", " ")
    assert f"until {day}, " in deadline_on(get(client))
    assert deadline_on(get(client)).endswith("(in 7 days).")


@pytest.mark.parametrize("hold", [timedelta(), timedelta(milliseconds=1)])
def test_final_answer_offers_no_change(
    client: FlaskClient, records: Records, keys: "redis.Redis", hold: timedelta
) -> None:
    answer(records, editable_for=hold)
    keys.hset(KEY, "answer_due", "1")  # The deadline is over, and no worker has claimed the answer.
    for query in ({}, {"change": "1"}, {"r": "4"}):
        page = get(client, query_string=query)
        assert "Your answer “Satisfied” is recorded. It can no longer be changed." in page.text
        assert "<form" not in page.text
    assert "Your answer “Satisfied” is recorded." in follow(client, post(client, {"rating": "4", "more": "1"})).text
    assert keys.hget(KEY, "answer_due") == b"1"


@pytest.mark.parametrize(("more", "place"), [("change", "?change=1"), ("1", "")])
def test_more_time_moves_deadline(client: FlaskClient, records: Records, more: str, place: str) -> None:
    answer(records)
    sent = post(client, {"rating": "4", "more": more})
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/s/{TOKEN}{place}")
    assert 19 * MINUTE < time_left(records) <= 20 * MINUTE
    page = follow(client, sent)
    assert deadline_on(page).endswith("(in 20 minutes).")
    assert progress_of(records).answer.scores == {CSAT: 4}


def test_more_time_button_is_on_thanks_and_change_form(client: FlaskClient, records: Records) -> None:
    answer(records)
    assert re.findall(r'<button[^>]*name="?more"?[^>]*>([^<]*)<', get(client).text) == [
        "Change your answer",
        "I need more time",
    ]
    change = get(client, query_string={"change": "1"}).text
    assert re.findall(r'<button[^>]*name="?more"?[^>]*>([^<]*)<', change) == ["I need more time"]


@pytest.mark.parametrize("terms", [{"editable_for": timedelta(days=7)}, {"extend": timedelta()}])
def test_more_time_is_offered_only_if_possible(
    client: FlaskClient, records: Records, terms: dict[str, timedelta]
) -> None:
    answer(records, **terms)  # type: ignore[arg-type]  # the terms are durations
    before = deadline_of(records)
    assert "I need more time" not in get(client).text
    assert follow(client, post(client, {"rating": "4", "more": "change"})).status_code == 200
    assert deadline_of(records) == before


def test_deadline_moves_by_one_hour_at_most(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    answer(records)
    first = deadline_of(records) - 5 * MINUTE
    keys.hset(KEY, mapping={"first_answered_at": to_ms(first - 55 * MINUTE), "answered_at": to_ms(first - 55 * MINUTE)})
    for _ in range(3):
        post(client, {"rating": "4", "more": "1"})
    assert deadline_of(records) <= first + 5 * MINUTE
    assert deadline_on(get(client)).endswith("(in 5 minutes).")


BEGUN = [
    {"rating": "4", "comment": "x" * 2001, "add": "1"},
    {"rating": "4", "add": "1"},
    {"rating": "4", "comment": " \u200b", "add": "1"},
    {"rating": "2", "comment": "x" * 2001},
    {"comment": COMMENT},
    {"rating": "4", "comment": "x" * 300_000, "add": "1"},
]


@pytest.mark.parametrize("form", BEGUN, ids=range(len(BEGUN)))
def test_error_moves_deadline(client: FlaskClient, records: Records, form: dict[str, str]) -> None:
    answer(records)
    page = post(client, form)
    assert page.status_code in (422, 413)
    assert time_left(records) > 19 * MINUTE
    assert deadline_on(page).endswith("(in 20 minutes).")


def test_more_time_keeps_typed_text(client: FlaskClient, records: Records) -> None:
    answer(records)
    thanks = post(client, {"rating": "4", "comment": COMMENT, "more": "1"})
    assert thanks.status_code == 200
    assert "Your answer “Satisfied” is saved." in thanks.text
    assert f">\n{SHOWN}</textarea>" in thanks.text
    change = post(client, {"rating": "4", "comment": COMMENT, "more": "change"})
    assert chosen(change) == ["4"]
    assert f">\n{SHOWN}</textarea>" in change.text
    assert 'action="?change=1"' in change.text
    again = post(client, {"rating": "2", "comment": COMMENT, "more": "change"}, query_string={"change": "1"})
    assert chosen(again) == ["2"]
    assert progress_of(records).answer.comment == ""
    assert time_left(records) > 19 * MINUTE


def test_get_does_not_move_deadline(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    answer(records)
    before = dump(keys)
    for query in ({}, {"change": "1"}, {"more": "1"}, {"r": "2"}, {"more": "change", "change": "1"}):
        for method in ("GET", "HEAD"):
            looked = client.open(f"/s/{TOKEN}", method=method, query_string=query, base_url=PUBLIC_URL)
            assert looked.status_code == 200
    assert dump(keys) == before


def test_more_time_is_not_offered_at_limit(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    answer(records)
    keys.hset(KEY, mapping={"first_answered_at": to_ms(deadline_of(records) - 60 * MINUTE)})
    assert "I need more time" not in get(client).text
    assert "Change your answer" in get(client).text


def test_cross_site_form_does_not_move_deadline(client: FlaskClient, records: Records) -> None:
    answer(records)
    before = deadline_of(records)
    for form in ({"rating": "4", "more": "1"}, {"rating": "4", "add": "1"}):
        post(client, form, headers={"Sec-Fetch-Site": "cross-site"})
    assert deadline_of(records) == before


def test_more_time_without_answer_writes_nothing(client: FlaskClient, keys: "redis.Redis") -> None:
    assert chosen(post(client, {"rating": "4", "more": "change"})) == ["4"]
    assert dump(keys) == {}


def test_without_redis_no_deadline_is_shown(own_redis: RedisServer, tmp_path: Path) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    client.application.extensions["afterword"].spool.prepare()
    own_redis.stop()
    thanks = post(client, {"rating": "4"})
    query = {"query_string": thanks.headers["Location"].partition("?")[2]}
    for page in (
        follow(client, thanks),
        follow(client, post(client, {"rating": "4", "more": "1"}, **query)),
        follow(client, post(client, {"rating": "4", "more": "change"}, **query)),
        post(client, {"rating": "4", "add": "1"}, **query),
    ):
        assert deadline_on(page) == ""
        assert "I need more time" not in page.text
        assert "recorded" not in page.text


def test_redis_lost_during_extension_shows_no_false_deadline(own_redis: RedisServer, tmp_path: Path) -> None:
    client = make_client(own_redis.url)
    post(client, {"rating": "4"})
    assert deadline_on(get(client))
    own_redis.stop()
    page = post(client, {"rating": "4", "comment": COMMENT, "more": "1"})
    assert deadline_on(page) == ""
    assert SHOWN in page.text


def test_deadline_is_by_redis_clock(client: FlaskClient, records: Records) -> None:
    answer(records)
    core = client.application.extensions["afterword"]
    core.records.clock_offset = timedelta(minutes=3)
    try:
        assert deadline_on(get(client)).endswith("(in 2 minutes).")
    finally:
        core.records.clock_offset = timedelta()
