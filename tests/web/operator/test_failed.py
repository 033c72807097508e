"""The view "Failed" shows what has failed and why, and retries it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from service.surveys.definition import OnReclose
from service.surveys.states import AnswerState, OfferState
from service.web.operator import failed
from tests.harness import AT_ONCE, CSAT, Story
from tests.moments import moment
from tests.web.operator.pages import words
from tests.web.operator.window_client import act, look, make_window

VIEW = "/operator/failed"


def fail(story: Story, status: int = 400) -> str:
    survey_id = story.begin()
    story.dixa.fails(times=1, status=status, call="offer")
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    return survey_id


def fail_answer(story: Story) -> str:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 2})
    story.dixa.fails(times=1, status=400, call="submit")
    story.submit(survey_id)
    return survey_id


def test_nothing_has_failed(window: FlaskClient) -> None:
    assert "Nothing has failed." in look(window, VIEW).text


def test_failures_are_listed_by_reason_with_meaning_and_remedy(window: FlaskClient, story: Story) -> None:
    offers, answer = [fail(story), fail(story)], fail_answer(story)
    text = words(look(window, VIEW).text)
    assert "3 surveys have failed for good." in text
    assert "2 not asked: refused" in text
    assert "1 answer not in Dixa: refused" in text
    assert text.count("What to change: Fix the cause.") == 2
    assert all(each in text for each in (*offers, answer))


def test_one_is_retried(window: FlaskClient, story: Story) -> None:
    one, other = fail(story), fail(story)
    response = act(window, VIEW, {"survey_id": one, "journey": "offer"})
    assert response.headers["Location"] == f"{VIEW}?retried=1"
    assert "One survey is due again now." in look(window, response.headers["Location"]).text
    assert story.load(one).offer.state is not OfferState.FAILED
    assert story.load(other).offer.state is OfferState.FAILED


def test_all_are_retried(window: FlaskClient, story: Story) -> None:
    failed_ids = [fail(story), fail_answer(story)]
    assert act(window, VIEW, {"all": "1"}).headers["Location"] == f"{VIEW}?retried=2"
    assert story.load(failed_ids[0]).offer.state is not OfferState.FAILED
    answer = story.load(failed_ids[1]).answer
    assert answer
    assert answer.state is not AnswerState.FAILED


@pytest.mark.parametrize(
    "form", [{}, {"survey_id": "7", "journey": "offer"}, {"survey_id": "../x"}, {"journey": "answer"}]
)
def test_a_post_about_nothing_that_failed_changes_nothing(
    window: FlaskClient, story: Story, form: dict[str, str]
) -> None:
    survey_id = fail(story)
    assert act(window, VIEW, form).headers["Location"] == f"{VIEW}?retried=0"
    assert story.load(survey_id).offer.state is OfferState.FAILED


def test_an_earlier_round_is_not_retried(window: FlaskClient, story: Story) -> None:
    first = fail(story)
    again = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS)
    story.close(int(first), again, closed_at=moment() + timedelta(minutes=5))
    assert act(window, VIEW, {"all": "1"}).headers["Location"] == f"{VIEW}?retried=0"


def test_a_long_list_is_cut_and_says_so(window: FlaskClient, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed, "MAX_SHOWN", 1)
    fail(story)
    latest = fail(story)
    text = words(look(window, VIEW).text)
    assert "2 surveys have failed for good." in text
    assert "These are the latest 1." in text
    assert latest in text


def test_without_redis_the_view_names_the_way_out() -> None:
    response = look(make_window("redis://127.0.0.1:1/0"), VIEW)
    assert response.status_code == 503
    assert "afterword doctor" in response.text
