"""A customer taps another score. The page shows if the score is saved, unsaved or too late."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.surveys.states import Journey
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.survey_client import COMMENT, LINK, NEW_ENOUGH, SHOWN, chosen, dump, follow, get, make_client, post, sign

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
EDITABLE = Survey(editable_for=timedelta(minutes=5))
NOT_YET, TOO_LATE = "Not saved yet.", "Your new choice came too late and is not saved."


def link_of(*ratings: RatingType) -> Link:
    return replace(LINK, offers=tuple(Offer(rating, LINK.offers[0].rating_id) for rating in ratings))


def answer(records: Records, scores: Mapping[RatingType, int], comment: str = "", **terms: timedelta) -> str:
    """Save an answer to a survey of these questions. Return the token of its link."""
    link = link_of(*scores)
    survey = replace(EDITABLE, ratings=tuple(scores), **terms)  # type: ignore[arg-type]
    records.save_answer(GivenAnswer(link, survey, scores, comment, "en"))
    return sign(link, at=NEW_ENOUGH)


def begin_to_submit(records: Records) -> None:
    claim = records.claim(Journey.ANSWER, LINK.survey_id)
    assert claim
    records.begin_call(claim, next(iter(claim.record.answered.scores)), (), timedelta())


OTHERS = [
    (CSAT, 4, "2", "Satisfied", "Dissatisfied"),
    (CSAT, 1, "5", "Very dissatisfied", "Very satisfied"),
    (NPS, 9, "0", "9", "0"),
    (NPS, 0, "10", "0", "10"),
    (THUMBS, 1, "0", "Yes", "No"),
    (THUMBS, 0, "1", "No", "Yes"),
]


@pytest.mark.parametrize(("rating", "saved", "tapped", "is_saved", "is_chosen"), OTHERS)
def test_other_score_opens_change_form_with_saved_score(  # noqa: PLR0917 - a row of the table
    client: FlaskClient,
    records: Records,
    keys: "redis.Redis",
    rating: RatingType,
    saved: int,
    tapped: str,
    is_saved: str,
    is_chosen: str,
) -> None:
    token = answer(records, {rating: saved})
    before = dump(keys)
    page = get(client, token, query_string={"r": tapped})
    assert (page.status_code, chosen(page)) == (200, [tapped])
    assert f"Saved now: “{is_saved}”." in page.text
    assert NOT_YET in page.text
    assert "Confirm rating" in page.text
    assert "Thank you" not in page.text
    assert dump(keys) == before
    post(client, {"rating": tapped}, token)
    assert f"Your answer “{is_chosen}” is saved." in get(client, token, query_string={"r": tapped}).text


@pytest.mark.parametrize("query", [{}, {"r": "4"}, {"r": "9"}, {"r": "x"}, {"r": ""}])
def test_saved_score_or_none_shows_thanks(client: FlaskClient, records: Records, query: dict[str, str]) -> None:
    page = get(client, answer(records, {CSAT: 4}), query_string=query)
    assert "Your answer “Satisfied” is saved." in page.text
    assert NOT_YET not in page.text


def test_other_questions_keep_saved_scores(client: FlaskClient, records: Records) -> None:
    token = answer(records, {CSAT: 4, NPS: 9, THUMBS: 1})
    page = get(client, token, query_string={"r": "2"})
    assert chosen(page) == ["2", "9", "1"]
    assert page.text.count("Saved now: ") == 1
    assert "Saved now: “Satisfied”." in page.text


def test_unanswered_question_can_be_preselected_later(client: FlaskClient, records: Records) -> None:
    records.save_answer(GivenAnswer(LINK, EDITABLE, {NPS: 9}, "", "en"))
    token = sign(link_of(CSAT, NPS), at=NEW_ENOUGH)
    page = get(client, token, query_string={"r": "2"})
    assert chosen(page) == ["2", "9"]
    assert NOT_YET in page.text
    assert "Saved now" not in page.text


@pytest.mark.parametrize(("rating", "saved", "tapped", "is_saved", "is_chosen"), OTHERS)
def test_late_change_shows_recorded_answer(
    client: FlaskClient,
    records: Records,
    rating: RatingType,
    saved: int,
    tapped: str,
    is_saved: str,
    is_chosen: str,
) -> None:
    token = answer(records, {rating: saved}, editable_for=timedelta())
    begin_to_submit(records)
    recorded = f"Your answer “{is_saved}” is recorded. It can no longer be changed."
    for query in ({}, {"r": str(saved)}, {"change": "1"}):
        page = get(client, token, query_string=query)
        assert recorded in page.text
        assert TOO_LATE not in page.text
        assert "<form" not in page.text
    for late in (get(client, token, query_string={"r": tapped}), post(client, {"rating": tapped}, token)):
        assert recorded in late.text
        assert TOO_LATE in late.text
        assert "Thank you" not in late.text
        assert "<form" not in late.text
    late = post(client, {"rating": tapped, "comment": COMMENT}, token)
    for words in (recorded, TOO_LATE, "Your comment came too late to be added.", SHOWN):
        assert words in late.text
    assert TOO_LATE not in post(client, {"rating": str(saved), "comment": COMMENT}, token).text


def test_recorded_page_lists_all_answers(client: FlaskClient, records: Records) -> None:
    token = answer(records, {CSAT: 4, NPS: 9, THUMBS: 1}, editable_for=timedelta())
    begin_to_submit(records)
    for query in ({}, {"r": "2"}):
        page = get(client, token, query_string=query)
        assert "Your answers are recorded. They can no longer be changed." in page.text
        for saved in ("Satisfied", "9", "Yes"):
            assert f"<dd>{saved}</dd>" in page.text
        assert (TOO_LATE in page.text) is bool(query)


def test_error_in_change_shows_saved_answer(client: FlaskClient, records: Records) -> None:
    token = answer(records, {CSAT: 4})
    page = post(client, {"rating": "2", "comment": "x" * 2001}, token, query_string={"change": "1"})
    assert (page.status_code, chosen(page)) == (422, ["2"])
    assert "Saved now: “Satisfied”." in page.text
    assert "2,000 characters or fewer" in page.text
    nothing = post(client, {"comment": COMMENT}, token, query_string={"change": "1"})
    assert (nothing.status_code, chosen(nothing)) == (422, ["4"])
    assert SHOWN in nothing.text


@pytest.mark.parametrize(
    "form",
    [{"rating": "4", "comment": "x" * 2001}, {"rating": "2", "comment": "x" * 2001}, {"rating": "4", "add": "1"}],
)
def test_late_form_shows_no_errors(client: FlaskClient, records: Records, form: dict[str, str]) -> None:
    token = answer(records, {CSAT: 4}, editable_for=timedelta())
    begin_to_submit(records)
    page = post(client, form, token)
    assert page.status_code == 200
    assert "Your answer “Satisfied” is recorded." in page.text
    assert form.get("comment", "") in page.text
    assert "<form" not in page.text


@pytest.fixture
def outage(own_redis: RedisServer, tmp_path: Path) -> FlaskClient:
    """A web process with a spool, while its Redis is down."""
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    client.application.extensions["afterword"].spool.prepare()
    own_redis.stop()
    return client


def test_page_without_redis_does_not_call_choice_unsaved(outage: FlaskClient) -> None:
    """It may be saved in Redis, which is down."""
    tapped = get(outage, query_string={"r": "4"})
    assert chosen(tapped) == ["4"]
    assert "Not saved yet." not in tapped.text


def test_without_redis_receipt_shows_saved_answer(outage: FlaskClient) -> None:
    sent = post(outage, {"rating": "4"})
    thanks = follow(outage, sent)
    assert "Your answer “Satisfied” is saved." in thanks.text
    assert "until" not in thanks.text.partition("<main>")[2].partition("</main>")[0]
    other = outage.get(f"{sent.headers['Location']}&r=2", base_url=PUBLIC_URL)
    assert chosen(other) == ["2"]
    assert "Saved now: “Satisfied”." in other.text
    change = follow(outage, post(outage, {"rating": "4", "more": "change"}, **query_of(sent)))
    assert chosen(change) == ["4"]
    assert "I need more time" not in change.text


def test_old_thanks_page_adds_comment_without_old_score(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4"})
    post(client, {"rating": "2"})
    post(client, {"rating": "4", "comment": "Det tog lang tid", "add": "1"})
    kept = records.load("81000")
    assert kept
    assert (kept.answered.scores, kept.answered.comment) == ({CSAT: 2}, "Det tog lang tid")


@pytest.mark.parametrize("form", [{"rating": "2"}, {"rating": "4", "comment": "Fint"}])
def test_ignored_suspect_form_is_shown_as_unsaved(client: FlaskClient, form: dict[str, str]) -> None:
    """A form with a filled honeypot replaces no customer's answer. It gets no thanks either."""
    post(client, {"rating": "4"})
    shown = post(client, {**form, "website": "x"})
    assert ("Saved now: “Satisfied”." in shown.text) is (form["rating"] != "4")
    assert chosen(shown) == [form["rating"]]
    assert form.get("comment", "") in shown.text
    assert "Thank you" not in shown.text


def test_removal_counts_with_filled_honeypot(client: FlaskClient, records: Records) -> None:
    post(client, {"rating": "4", "comment": "my card"})
    post(client, {"rating": "4", "forget": "1", "website": "x"})
    kept = records.load("81000")
    assert kept
    assert kept.answered.comment == ""


def query_of(sent: TestResponse) -> dict[str, str]:
    return {"query_string": sent.headers["Location"].partition("?")[2]}


@pytest.mark.parametrize("form", [{"rating": "1"}, {"rating": "1", "website": "x", "comment": "Fint"}])
def test_suspect_sender_sees_thanks_and_others_see_form(client: FlaskClient, form: dict[str, str]) -> None:
    token = sign()
    sent = post(client, form, token)
    assert "Your answer “Very dissatisfied” is saved." in follow(client, sent).text
    assert chosen(get(client, token)) == []
    assert "Thank you" not in get(client, token).text
    tapped = get(client, token, query_string={"r": "5"})
    assert chosen(tapped) == ["5"]
    assert "Saved now" not in tapped.text
    # A receipt of another survey, or without our signature, shows nothing.
    for receipt in ("x", sent.headers["Location"].partition("receipt=")[2][:-1] + "~"):
        assert "Thank you" not in get(client, token, query_string={"receipt": receipt}).text
