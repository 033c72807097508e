"""A conversation anonymised after its survey was sent: nothing more is written, sent or kept about its customer."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, FollowUpState
from tests.harness import AT_ONCE, CSAT, NPS, Story
from tests.journeys.erased import CUSTOMER, SECRET, asked, assert_erased, calls, fields, put, until_erased
from tests.journeys.team import HELD, LOW, Team

AFTER = replace(AT_ONCE, on_answer=(LOW,))


def test_nothing_is_written_to_dixa_and_all_about_the_customer_is_forgotten(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    until_erased(story, story.answering, survey_id)
    assert calls(story) == ["conversation"]
    assert_erased(story, survey_id)
    assert story.load(survey_id).answer == replace(
        story.load(survey_id).answer,  # type: ignore[type-var]
        state=AnswerState.FAILED,
        has_comment=False,
        due_at=None,
    )


@pytest.mark.parametrize(("comment", "made"), [("Fint", ["conversation", "submit"]), ("", ["submit"])])
def test_only_an_answer_with_a_comment_costs_a_call_more(story: Story, comment: str, made: list[str]) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, comment)
    story.submit(survey_id)
    assert calls(story) == made


def test_of_two_questions_the_first_looks(story: Story) -> None:
    terms = replace(AT_ONCE, ratings=(CSAT, NPS), cooldown=timedelta())
    survey_id = asked(story, terms)
    story.answer(survey_id, {CSAT: 4, NPS: 9}, "Fint")
    story.submit(survey_id)
    assert calls(story) == ["conversation", "submit", "submit"]
    survey_id = asked(story, terms)
    story.answer(survey_id, {CSAT: 1, NPS: 0}, SECRET)
    story.dixa.erase(int(survey_id))
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results(int(survey_id)) == []
    assert_erased(story, survey_id)


def test_comment_added_after_the_claim_needs_a_check_first(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1})
    story.records.mark_restored()  # It asks for the ratings before the call is marked.

    def write() -> None:
        story.dixa.erase(int(survey_id))
        story.answer(survey_id, {CSAT: 1}, SECRET)

    story.after("ratings", write)
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


def test_a_refused_result_is_a_reason_to_look(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1})
    story.dixa.erase(int(survey_id))
    story.dixa.fails(1, 400, call="submit")
    until_erased(story, story.answering, survey_id)
    assert calls(story) == ["submit", "ratings", "conversation"]
    assert_erased(story, survey_id)


@pytest.mark.parametrize("status", [503, 429])
def test_failed_check_is_repeated_before_the_submit(story: Story, status: int) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    story.dixa.fails(2, status, call="conversation")
    until_erased(story, story.answering, survey_id)
    assert set(calls(story)) == {"conversation"}


def test_refused_check_does_not_stop_the_result(story: Story) -> None:
    """A 404 is no proof of an anonymisation."""
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.dixa.fails(1, 404, call="conversation")
    story.submit(survey_id)
    story.assert_once(survey_id)


def test_what_was_submitted_before_stays_so(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.submit(survey_id)
    assert story.records.erase(story.load(survey_id)) == "erased"
    answer = story.load(survey_id).answer
    assert answer
    assert (answer.state, answer.reason, answer.submitted) == (AnswerState.SUBMITTED, Reason.ERASED, (CSAT,))
    assert_erased(story, survey_id)


def test_a_link_alone_leads_there_too(story: Story) -> None:
    """Redis was emptied before the answer."""
    survey_id = asked(story)
    link = Link.to(story.load(survey_id))
    story.records._redis.delete(story.records._key(survey_id))
    story.dixa.erase(int(survey_id))
    story.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 1}, SECRET, "en"))
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


class TestWhatFollows:
    """No note or tag is written, and no alert or webhook is sent."""

    def assert_nothing(self, team: Team, survey_id: str) -> None:
        assert set(team.counts(survey_id).values()) == {0}
        assert_erased(team.story, survey_id)
        record = team.story.load(survey_id)
        assert record.follow_up
        assert record.follow_up.state is FollowUpState.FAILED

    @pytest.mark.parametrize("terms", [HELD, AFTER])
    def test_no_alert_of_an_answer_with_a_comment(self, team: Team, terms: Survey) -> None:
        survey_id = asked(team.story, terms)
        team.story.answer(survey_id, {CSAT: 1}, SECRET)
        team.dixa.erase(int(survey_id))
        until_erased(team.story, team.story.following, survey_id)
        self.assert_nothing(team, survey_id)
        assert team.dixa.results() == []

    def test_no_note_and_no_tag_of_one_without(self, team: Team) -> None:
        survey_id = asked(team.story, AFTER)
        team.story.answer(survey_id, {CSAT: 1})
        team.story.submit(survey_id)
        team.dixa.erase(int(survey_id))
        until_erased(team.story, team.story.following, survey_id)
        self.assert_nothing(team, survey_id)

    def test_one_look_is_enough_for_all_of_it(self, team: Team) -> None:
        survey_id = asked(team.story, AFTER)
        team.story.answer(survey_id, {CSAT: 1})
        team.story.submit(survey_id)
        team.follow(survey_id)
        assert calls(team.story).count("conversation") == 1
        assert set(team.counts(survey_id).values()) == {1}

    def test_alert_without_comment_needs_no_check(self, team: Team) -> None:
        survey_id = asked(team.story, replace(HELD, on_answer=(OnAnswer((1,), CSAT, slack=True),)))
        team.story.answer(survey_id, {CSAT: 1})
        team.run_once(survey_id)
        assert len(team.receiver.of("/slack")) == 1
        assert calls(team.story) == []


def test_a_reminder_finds_it_too(story: Story) -> None:
    survey_id = asked(story, replace(AT_ONCE, reminder=timedelta(hours=1)))
    story.dixa.erase(int(survey_id))
    put(story, survey_id, offer_due=str(to_ms(datetime.now(UTC))))
    until_erased(story, story.offering, survey_id)
    assert calls(story) == ["conversation"]
    assert_erased(story, survey_id)


@pytest.mark.parametrize("moment", ["decided", "delivered"])
def test_offer_ended_as_erased_keeps_no_data(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, moment: str
) -> None:
    story = Story(redis_client, prefix, dixa)
    survey_id = story.begin(requester=CUSTOMER)
    if moment == "decided":
        dixa.erase(int(survey_id))
    else:
        story.after("offer", lambda: dixa.erase(int(survey_id)))
        dixa.fails(1, 503, call="message")
    until_erased(story, story.offering, survey_id)
    kept = json.dumps(fields(story, survey_id))
    person = dixa.conversation(int(survey_id)).requester.id
    assert person not in kept
    assert "facts" not in kept
