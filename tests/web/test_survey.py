"""`/s/<token>`: its pages, with a real Redis. Only a form writes."""

from datetime import UTC, datetime, time, timedelta

import pytest
import redis
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.surveys.definition import SendWindow, Survey
from service.surveys.model import Close, Decision
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from service.surveys.words import Words
from service.texts.catalog import load_language
from service.web import page_texts
from tests.processes import PUBLIC_URL
from tests.web.survey_client import (
    COMMENT,
    LINK,
    OLD_KEY,
    SHOWN,
    TOKEN,
    chosen,
    dump,
    get,
    make_client,
    post,
    sign,
    words_of,
)


def cancel(records: Records, reason: Reason) -> None:
    """Cancel the survey. The customer has a link from before."""
    records.accept(Close(81000, datetime.now(UTC)), [Survey(delay=timedelta())])
    claim = records.claim(Journey.OFFER, "81000")
    assert claim
    records.decide(claim, Decision(Verdict.CANCEL, reason), "")


def begin_to_submit(records: Records) -> None:
    """Answer 4 and claim the answer, as a worker does before its call."""
    records.save_answer(GivenAnswer(LINK, Survey(editable_for=timedelta()), {RatingType.CSAT: 4}, "Fint", "en"))
    # The deadline of an earlier answer is over.
    records._redis.hset("afterword:survey:81000", "answer_due", "0")
    claim = records.claim(Journey.ANSWER, "81000")
    assert claim
    records.begin_call(claim, RatingType.CSAT, (), timedelta())


def test_form_needs_only_the_link(client: FlaskClient, keys: "redis.Redis") -> None:
    response = get(client)
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert "How satisfied are you" in response.text
    assert chosen(response) == []
    assert dump(keys) == {}


@pytest.mark.parametrize(
    ("zone", "window", "day"),
    [
        ("UTC", None, "12 May 2026"),
        ("Europe/Copenhagen", None, "13 May 2026"),
        ("America/New_York", None, "12 May 2026"),
        ("America/New_York", "Asia/Tokyo", "13 May 2026"),
    ],
)
def test_date_of_conversation_is_in_brands_time_zone(
    redis_url: str, records: Records, zone: str, window: str | None, day: str
) -> None:
    terms = Survey(send_window=SendWindow((0,), time(9), time(17), window) if window else None)
    records.accept(Close(81000, datetime(2026, 5, 12, 22, 30, tzinfo=UTC)), [terms])
    assert f"on {day}" in words_of(get(make_client(redis_url, TIME_ZONE=zone)).text)


def test_get_never_saves_an_answer(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    """Mail programs and scanners open every link with every score, and more than once."""
    for prepare in (lambda: None, lambda: post(client, {"rating": "2"}), lambda: begin_to_submit(records)):
        prepare()
        before = dump(keys)
        for method in ("GET", "HEAD", "OPTIONS"):
            for query in ("", *(f"?r={score}" for score in range(7)), "?change=1", "?rating=5&comment=x", "?r=%00"):
                assert client.open(f"/s/{TOKEN}{query}", method=method, base_url=PUBLIC_URL).status_code == 200
        assert dump(keys) == before


@pytest.mark.parametrize("score", ["1", "3", "5"])
def test_score_in_link_is_chosen_and_not_saved(client: FlaskClient, score: str) -> None:
    response = get(client, query_string={"r": score})
    assert chosen(response) == [score]
    assert "Not saved yet." in response.text


@pytest.mark.parametrize("score", ["0", "6", "-1", "x", "", "4.0", "٤", "4" * 5000, "\0"])
def test_invalid_score_in_link_is_ignored(client: FlaskClient, score: str) -> None:
    response = get(client, query_string={"r": score})
    assert (response.status_code, chosen(response)) == (200, [])


@pytest.mark.parametrize("form", [{"rating": "4"}, {"rating": "4", "comment": COMMENT}, {"rating": "4", "x": "y"}])
def test_answer_redirects_to_thanks(client: FlaskClient, form: dict[str, str], records: Records) -> None:
    response = post(client, form)
    assert (response.status_code, response.headers["Location"]) == (303, f"/s/{TOKEN}")
    thanks = get(client)
    assert "Thank you for your feedback" in thanks.text
    assert "is saved" in thanks.text
    kept = records.load("81000")
    assert kept
    assert (kept.answered.scores, kept.answered.comment) == ({RatingType.CSAT: 4}, form.get("comment", ""))


def test_repeated_answer_redirects_to_thanks(client: FlaskClient, keys: "redis.Redis") -> None:
    form = {"rating": "4", "comment": COMMENT}
    post(client, form)
    before = keys.hgetall("afterword:survey:81000")
    assert post(client, form).status_code == 303
    after = keys.hgetall("afterword:survey:81000")
    assert after | {name: before[name] for name in (b"answered_at", b"commented_at")} == before


def test_saved_comment_is_not_shown(client: FlaskClient) -> None:
    post(client, {"rating": "4", "comment": COMMENT})
    for query in ({}, {"change": "1"}):
        assert SHOWN not in get(client, query_string=query).text


def test_answer_after_submission_changes_nothing(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    begin_to_submit(records)
    before = dump(keys)
    different = post(client, {"rating": "1"})
    assert different.status_code == 200
    assert "Your new choice came too late and is not saved." in different.text
    assert "Your answer “Satisfied” is recorded. It can no longer be changed." in different.text
    assert post(client, {"rating": "4", "comment": "Fint"}).status_code == 303
    assert "Your answer “Satisfied” is recorded." in get(client).text
    assert dump(keys) == before


def test_comment_after_deadline_is_quoted(redis_url: str, records: Records) -> None:
    """Otherwise it would be lost, and the customer thanked for it."""
    client = make_client(redis_url, SUPPORT_URL="https://northwind.example/support")
    begin_to_submit(records)
    before = records.load("81000")
    with capture_logs() as logged:
        late = post(client, {"rating": "4", "comment": COMMENT})
    assert (late.status_code, late.headers["Cache-Control"]) == (200, "no-store")
    assert "<h1>Your rating is recorded</h1><p>Your answer “Satisfied” is recorded." in late.text
    assert "<p>Your comment came too late to be added.</p><blockquote" in late.text
    assert f'<blockquote dir="auto">{SHOWN}</blockquote>' in late.text
    assert '<a href="https://northwind.example/support">Contact our support team</a>' in late.text
    assert "<svg" not in late.text
    assert "Thank you" not in late.text
    assert COMMENT not in str(logged)
    assert records.load("81000") == before
    assert SHOWN not in get(client).text


def test_comment_with_other_scores_after_deadline_is_quoted(client: FlaskClient, records: Records) -> None:
    begin_to_submit(records)
    late = post(client, {"rating": "1", "comment": f"\n{COMMENT}\n"}, query_string={"lang": "da"})
    assert load_language("da").translate(page_texts.NOT_CHANGED) in late.text
    assert f'<blockquote dir="auto">\n{SHOWN}\n</blockquote>' in late.text
    assert "<svg" not in late.text


BAD = {
    "empty parts": "..",
    "words": "not-a-token",
    "cut": TOKEN[:-1],
    "longer": TOKEN + "A",
    "another key": sign(key="a-key-that-we-never-had-0123456789-0123456789"),
    "case": TOKEN.swapcase(),
    "not utf-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "space": "%20",
    "huge": "A" * 20_000,
    "zipped": "." + TOKEN,
    "template": "{{7*7}}",
    "script": "%3Cscript%3E",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
def test_every_bad_token_gets_same_page(client: FlaskClient, token: str, keys: "redis.Redis") -> None:
    first = get(client, "another-bad-token")
    for response in (get(client, token), post(client, {"rating": "4"}, token)):
        assert response.status_code == 404
        assert response.data == first.data
        assert {**response.headers} == {**first.headers}
    assert dump(keys) == {}


@pytest.mark.parametrize("path", ["/s/", "/s", "/S/x", "/s/x/", "/s/x/y", "/admin", "/robots.txt"])
def test_unknown_path_gets_same_page(client: FlaskClient, path: str) -> None:
    response = client.get(path, base_url=PUBLIC_URL)
    assert response.status_code == 404
    assert response.data == get(client, "another-bad-token").data


def test_older_key_still_opens_links(client: FlaskClient) -> None:
    assert get(client, sign(key=OLD_KEY)).status_code == 200


def test_expired_link_is_410(client: FlaskClient, keys: "redis.Redis") -> None:
    now = datetime.now(UTC)
    for token in (sign(at=now - timedelta(days=28, minutes=1)), sign(at=now - timedelta(days=4000))):
        for response in (get(client, token), post(client, {"rating": "4"}, token)):
            assert response.status_code == 410
            assert "The time to answer is over" in response.text
    assert dump(keys) == {}
    assert get(client, sign(at=now - timedelta(days=27, hours=23))).status_code == 200


def test_answered_link_does_not_expire(client: FlaskClient, records: Records) -> None:
    """The customer answered in time, so the page shows the thanks."""
    begin_to_submit(records)
    assert get(client, sign(at=datetime.now(UTC) - timedelta(days=30))).status_code == 200


@pytest.mark.parametrize("is_submitted", [True, False])
def test_anonymised_conversation_shows_erased_page(
    client: FlaskClient, records: Records, *, is_submitted: bool
) -> None:
    """In each state of the survey, with each query."""
    post(client, {"rating": "4", "comment": COMMENT})
    if is_submitted:
        begin_to_submit(records)
    record = records.load("81000")
    assert record
    records.erase(record)
    for response in (get(client), get(client, query_string={"change": "1"}), post(client, {"rating": "5"})):
        assert response.status_code == 410
        assert "What we kept for this survey has been deleted." in response.text
        assert SHOWN not in response.text


@pytest.mark.parametrize("is_failed", [False, True])
def test_erased_survey_is_410(client: FlaskClient, records: Records, keys: "redis.Redis", *, is_failed: bool) -> None:
    cancel(records, Reason.ERASED)
    if is_failed:
        keys.hset("afterword:survey:81000", "offer_state", "failed")
    before = dump(keys)
    for response in (get(client), post(client, {"rating": "4"})):
        assert response.status_code == 410
        assert "has been deleted" in response.text
    assert records.save_answer(GivenAnswer(LINK, Survey(), {RatingType.CSAT: 4}, "", "en")) == "closed"
    assert dump(keys) == before


def test_link_works_with_cancelled_record_of_backup(client: FlaskClient, records: Records) -> None:
    cancel(records, Reason.REOPENED)
    assert get(client).status_code == 200
    assert post(client, {"rating": "4"}).status_code == 303
    answer = records.load("81000").answer  # type: ignore[union-attr]
    assert answer
    assert answer.answer.scores == {RatingType.CSAT: 4}


def test_own_questions_are_shown_in_their_languages(client: FlaskClient, records: Records) -> None:
    own = {"da": Words(questions={RatingType.CSAT: "Var du <b>tilfreds</b>?"})}
    records.accept(Close(81000, datetime.now(UTC)), [Survey(words=own)])
    danish = get(client, query_string={"lang": "da"}).text
    assert "<h1>Var du &lt;b&gt;tilfreds&lt;/b&gt;?</h1>" in danish
    assert "Hvor tilfreds er du" not in danish
    assert "<h1>How satisfied are you with the help you got?</h1>" in get(client).text
