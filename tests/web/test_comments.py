"""The comment on the page: removed, added to a saved answer, and quoted if it is too late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import RedisServer
from tests.web.survey_client import COMMENT, LINK, NEW_ENOUGH, SHOWN, chosen, follow, get, make_client, post, sign
from tests.web.test_survey import begin_to_submit, cancel

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
HELD = Survey(editable_for=timedelta(minutes=5))
CARD = "My card is 4111 1111 1111 1111"


def answer(records: Records, comment: str = CARD, scores: dict[RatingType, int] | None = None) -> None:
    records.save_answer(GivenAnswer(LINK, HELD, scores or {CSAT: 4}, comment, "en"))


def kept(records: Records) -> tuple[dict[RatingType, int], str, bool]:
    record = records.load("81000")
    assert record
    assert record.answer
    return {**record.answered.scores}, record.answered.comment, record.answer.has_comment


@pytest.mark.parametrize(
    ("form", "scores"),
    [
        ({"rating": "4"}, {CSAT: 4}),
        ({"rating": "2"}, {CSAT: 2}),
        ({"rating": "4", "comment": " \n"}, {CSAT: 4}),
        ({"rating": "4", "comment": "\u200b"}, {CSAT: 4}),
        ({"rating": "4", "comment": "x" * 2001}, {CSAT: 4}),
        ({"rating": "9"}, {CSAT: 4}),
        ({}, {CSAT: 4}),
    ],
)
def test_comment_can_be_removed(
    client: FlaskClient, records: Records, keys: "redis.Redis", form: dict[str, str], scores: dict[RatingType, int]
) -> None:
    answer(records)
    assert "Remove my comment" in get(client, query_string={"change": "1"}).text
    removed = post(client, {**form, "forget": "1"}, query_string={"change": "1"})
    assert kept(records) == (scores, "", False)
    assert "4111" not in str(keys.hgetall("afterword:survey:81000"))
    thanks = removed if removed.status_code == 200 else follow(client, removed)
    assert "Your comment is removed." in thanks.text
    assert "Your comment is saved too" not in thanks.text
    assert "Add comment" in thanks.text
    assert post(client, {**form, "forget": "1"}).status_code in (200, 303)
    assert kept(records) == (scores, "", False)


def test_text_typed_beside_removal_is_shown_again_unsaved(client: FlaskClient, records: Records) -> None:
    answer(records)
    page = post(client, {"rating": "2", "comment": COMMENT, "forget": "1"}, query_string={"change": "1"})
    assert page.status_code == 200
    assert kept(records) == ({CSAT: 2}, "", False)
    assert "Your answer “Dissatisfied” is saved." in page.text
    assert "Your comment is removed." in page.text
    assert f">\n{SHOWN}</textarea>" in page.text


def test_blank_comment_keeps_saved_comment(client: FlaskClient, records: Records) -> None:
    answer(records)
    post(client, {"rating": "2", "comment": ""}, query_string={"change": "1"})
    assert kept(records) == ({CSAT: 2}, CARD, True)
    post(client, {"rating": "2", "comment": "Better", "forget": ""}, query_string={"change": "1"})
    assert kept(records) == ({CSAT: 2}, "Better", True)


def test_removal_is_offered_only_with_comment(client: FlaskClient, records: Records) -> None:
    answer(records, "")
    assert "Remove my comment" not in get(client, query_string={"change": "1"}).text
    assert "Your comment is removed" not in get(client).text


def test_query_alone_does_not_claim_removal(client: FlaskClient, records: Records) -> None:
    answer(records)
    page = get(client, query_string={"forgotten": "1"})
    assert "Your comment is removed" not in page.text
    assert "Your comment is saved too" in page.text


def test_submitted_comment_is_not_reported_removed(client: FlaskClient, records: Records) -> None:
    begin_to_submit(records)
    page = post(client, {"rating": "4", "forget": "1"}, query_string={"change": "1"})
    assert page.status_code == 200
    assert "It is too late to remove your comment here: it was already passed on." in page.text
    assert "Your answer “Satisfied” is recorded." in page.text
    assert kept(records) == ({CSAT: 4}, "Fint", True)


def test_other_scores_stay_when_one_changes_with_removal(client: FlaskClient, records: Records) -> None:
    link = replace(LINK, offers=tuple(Offer(rating, LINK.offers[0].rating_id) for rating in (CSAT, NPS)))
    records.save_answer(GivenAnswer(link, replace(HELD, ratings=(CSAT, NPS)), {CSAT: 4, NPS: 9}, CARD, "en"))
    post(client, {"rating": "1", "forget": "1"}, sign(link, at=NEW_ENOUGH))
    scores, comment, _ = kept(records)
    assert (scores[CSAT], comment) == (1, "")


def test_comment_can_be_removed_during_outage(own_redis: RedisServer, tmp_path: Path) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    core = client.application.extensions["afterword"]
    core.spool.prepare()
    post(client, {"rating": "4", "comment": CARD})
    own_redis.stop()
    thanks = follow(client, post(client, {"rating": "2", "forget": "1"}))
    assert "Your answer “Dissatisfied” is saved." in thanks.text
    assert "Your comment is removed." in thanks.text
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    core.recovery.step()
    assert core.spool.waiting() == 0
    record = core.records.load("81000")
    assert (record.answered.scores, record.answered.comment, record.answer.has_comment) == ({CSAT: 2}, "", False)


@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u200b\u200d\ufe0f\n", "\u2800", "\u3164"])
def test_adding_nothing_is_an_error_beside_saved_answer(client: FlaskClient, records: Records, blank: str) -> None:
    answer(records, "")
    page = post(client, {"rating": "4", "comment": blank, "add": "1"})
    assert page.status_code == 422
    assert "Error: Write your comment first" in page.text
    assert '<a href="#comment">Write your comment first</a>' in page.text
    assert "Your answer “Satisfied” is saved." in page.text
    assert kept(records) == ({CSAT: 4}, "", False)


def test_too_long_comment_is_an_error_beside_saved_answer(client: FlaskClient, records: Records) -> None:
    answer(records, "")
    for comment, shown in (("x" * 2001, "x" * 2001), ("x" * 300_000, "</textarea>")):
        page = post(client, {"rating": "4", "comment": comment, "add": "1"})
        assert page.status_code in (422, 413)
        assert "2,000 characters or fewer" in page.text
        assert "Your answer “Satisfied” is saved." in page.text
        assert shown in page.text
        assert "not saved" not in page.text
    assert follow(client, post(client, {"rating": "4", "comment": "x" * 2000, "add": "1"})).status_code == 200
    assert kept(records) == ({CSAT: 4}, "x" * 2000, True)


def test_confirming_twice_is_no_error(client: FlaskClient, records: Records) -> None:
    for _ in range(2):
        assert post(client, {"rating": "4"}).status_code == 303
    assert post(client, {"rating": "4", "comment": ""}, query_string={"change": "1"}).status_code == 303


ALL = replace(LINK, offers=tuple(Offer(rating, LINK.offers[0].rating_id) for rating in (CSAT, NPS, THUMBS)))


def test_thanks_have_unanswered_questions(client: FlaskClient, records: Records) -> None:
    token = sign(ALL, at=NEW_ENOUGH)
    thanks = follow(client, post(client, {"rating": "4"}, token))
    assert "Your answer “Satisfied” is saved." in thanks.text
    assert "name=rating_nps" in thanks.text
    assert "name=rating_thumbs" in thanks.text
    assert chosen(thanks) == []
    kept_form = {"rating": "4", "comment": "", "add": "1"}
    second = follow(client, post(client, {**kept_form, "rating_thumbs": "1"}, token))
    assert kept(records)[0] == {CSAT: 4, THUMBS: 1}
    assert "name=rating_nps value=3" in second.text
    added = {**kept_form, "rating_thumbs": "1", "rating_nps": "9", "comment": COMMENT}
    third = follow(client, post(client, added, token))
    assert kept(records) == ({CSAT: 4, NPS: 9, THUMBS: 1}, COMMENT, True)
    assert "Your answers are saved." in third.text
    assert "type=radio" not in third.text


def test_thanks_have_unanswered_questions_beside_saved_comment(client: FlaskClient, records: Records) -> None:
    token = sign(ALL, at=NEW_ENOUGH)
    thanks = follow(client, post(client, {"rating": "4", "comment": COMMENT}, token))
    assert "name=rating_nps" in thanks.text
    assert "<textarea" not in thanks.text
    nothing = post(client, {"rating": "4", "add": "1"}, token)
    assert nothing.status_code == 422
    assert "Answer at least one question" in nothing.text
    assert "Your answer “Satisfied” is saved." in nothing.text
    post(client, {"rating": "4", "rating_nps": "0", "add": "1"}, token)
    assert kept(records) == ({CSAT: 4, NPS: 0}, COMMENT, True)


EXPIRED = sign(at=datetime.now(UTC) - timedelta(days=29))


@pytest.mark.parametrize("form", [{"rating": "4"}, {}, {"rating": "9"}, {"rating": "4", "more": "1"}])
@pytest.mark.parametrize("comment", [COMMENT, COMMENT + "x" * 3000])
def test_comment_after_expiry_is_quoted(
    client: FlaskClient, keys: "redis.Redis", form: dict[str, str], comment: str
) -> None:
    page = post(client, {**form, "comment": comment}, EXPIRED)
    assert page.status_code == 410
    assert "The time to answer is over." in page.text
    assert "Your comment came too late to be added." in page.text
    assert f'<blockquote dir="auto">{SHOWN}{"x" * (len(comment) - len(COMMENT))}</blockquote>' in page.text
    assert not keys.exists("afterword:survey:81000")


def test_expired_page_without_comment_has_no_quote(client: FlaskClient) -> None:
    for page in (get(client, EXPIRED), post(client, {"rating": "4", "comment": " \u200b"}, EXPIRED)):
        assert page.status_code == 410
        assert "blockquote" not in page.text.partition("<main>")[2]
        assert "too late" not in page.text


def test_erased_page_has_no_quote(client: FlaskClient, records: Records) -> None:
    cancel(records, Reason.ERASED)
    page = post(client, {"rating": "4", "comment": COMMENT})
    assert page.status_code == 410
    assert SHOWN not in page.text
    assert "too late" not in page.text


def test_anonymisation_after_answer_shows_erased_page(client: FlaskClient, records: Records) -> None:
    answer(records)
    records._redis.hset("afterword:survey:81000", "answer_due", "0")
    claim = records.claim(Journey.ANSWER, "81000")
    assert claim
    records.fail(claim, Reason.ERASED)
    for page in (get(client), get(client, query_string={"r": "2"}), post(client, {"rating": "4", "comment": COMMENT})):
        assert page.status_code == 410
        assert "has been deleted" in page.text
        assert SHOWN not in page.text
