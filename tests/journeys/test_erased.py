"""A conversation anonymised after its survey was sent: no data on its customer is written, sent or kept any more."""

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
from tests.journeys.action_story import EDITABLE, LOW, ActionStory
from tests.journeys.erased import (
    CUSTOMER,
    SECRET,
    assert_erased,
    calls,
    fields,
    run_until_erased,
    send_survey,
    write_fields,
)

AFTER = replace(AT_ONCE, on_answer=(LOW,))


def test_erased_conversation_gets_no_result_and_its_data_is_deleted(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    run_until_erased(story, story.answering, survey_id)
    assert calls(story) == ["conversation"]
    assert_erased(story, survey_id)
    assert story.load(survey_id).answer == replace(
        story.load(survey_id).answer,  # type: ignore[type-var]
        state=AnswerState.FAILED,
        comment_sha1="",
        due_at=None,
    )


@pytest.mark.parametrize("comment", ["Fint", ""])
def test_every_answer_is_submitted_after_a_check(story: Story, comment: str) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 4}, comment)
    story.submit(survey_id)
    assert calls(story) == ["conversation", "submit"]


def test_score_alone_is_not_submitted_either(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 4})
    story.dixa.erase(int(survey_id))
    run_until_erased(story, story.answering, survey_id)
    assert calls(story) == ["conversation"]
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


def test_later_claim_for_the_second_question_checks_again(story: Story) -> None:
    survey_id = send_survey(story, replace(AT_ONCE, ratings=(CSAT, NPS)))
    story.answer(survey_id, {CSAT: 4, NPS: 9})
    story.after("submit", lambda: story.dixa.erase(int(survey_id)))
    story.dixa.fails(1, 503, call="submit")
    run_until_erased(story, story.answering, survey_id)
    assert calls(story)[-1] == "conversation"
    assert_erased(story, survey_id)


def test_two_questions_need_one_check(story: Story) -> None:
    terms = replace(AT_ONCE, ratings=(CSAT, NPS), cooldown=timedelta())
    survey_id = send_survey(story, terms)
    story.answer(survey_id, {CSAT: 4, NPS: 9}, "Fint")
    story.submit(survey_id)
    assert calls(story) == ["conversation", "submit", "submit"]
    survey_id = send_survey(story, terms)
    story.answer(survey_id, {CSAT: 1, NPS: 0}, SECRET)
    story.dixa.erase(int(survey_id))
    run_until_erased(story, story.answering, survey_id)
    assert story.dixa.results(int(survey_id)) == []
    assert_erased(story, survey_id)


def test_refused_result_causes_another_check(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1})
    story.after("conversation", lambda: story.dixa.erase(int(survey_id)))
    story.dixa.fails(1, 400, call="submit")
    run_until_erased(story, story.answering, survey_id)
    assert calls(story) == ["conversation", "submit", "ratings", "conversation"]
    assert_erased(story, survey_id)


@pytest.mark.parametrize("status", [503, 429])
def test_failed_check_is_repeated_before_the_submit(story: Story, status: int) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    story.dixa.fails(2, status, call="conversation")
    run_until_erased(story, story.answering, survey_id)
    assert set(calls(story)) == {"conversation"}


def test_refused_check_does_not_prevent_the_submit(story: Story) -> None:
    """A 404 is no proof of an anonymisation."""
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.dixa.fails(1, 404, call="conversation")
    story.submit(survey_id)
    story.assert_once(survey_id)


def test_erasure_keeps_the_state_of_a_submitted_result(story: Story) -> None:
    survey_id = send_survey(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.submit(survey_id)
    assert story.records.erase(story.load(survey_id)) == "erased"
    answer = story.load(survey_id).answer
    assert answer
    assert (answer.state, answer.reason, answer.submitted) == (AnswerState.SUBMITTED, Reason.ERASED, (CSAT,))
    assert_erased(story, survey_id)


def test_record_recreated_from_a_link_is_erased(story: Story) -> None:
    """Redis was emptied before the answer."""
    survey_id = send_survey(story)
    link = Link.to(story.load(survey_id))
    story.records._redis.delete(story.records._key(survey_id))
    story.dixa.erase(int(survey_id))
    story.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 1}, SECRET, "en"))
    run_until_erased(story, story.answering, survey_id)
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


class TestFollowUp:
    """No note or tag is written, and no alert or webhook is sent."""

    def assert_no_actions(self, action_story: ActionStory, survey_id: str) -> None:
        assert set(action_story.counts(survey_id).values()) == {0}
        assert_erased(action_story.story, survey_id)
        record = action_story.story.load(survey_id)
        assert record.follow_up
        assert record.follow_up.state is FollowUpState.FAILED

    @pytest.mark.parametrize("terms", [EDITABLE, AFTER])
    def test_erased_answer_with_a_comment_sends_no_alert(self, action_story: ActionStory, terms: Survey) -> None:
        survey_id = send_survey(action_story.story, terms)
        action_story.story.answer(survey_id, {CSAT: 1}, SECRET)
        action_story.dixa.erase(int(survey_id))
        run_until_erased(action_story.story, action_story.story.following, survey_id)
        self.assert_no_actions(action_story, survey_id)
        assert action_story.dixa.results() == []

    def test_erased_answer_without_a_comment_makes_no_note_or_tag(self, action_story: ActionStory) -> None:
        survey_id = send_survey(action_story.story, AFTER)
        action_story.story.answer(survey_id, {CSAT: 1})
        action_story.story.submit(survey_id)
        action_story.dixa.erase(int(survey_id))
        run_until_erased(action_story.story, action_story.story.following, survey_id)
        self.assert_no_actions(action_story, survey_id)

    def test_all_actions_share_one_check(self, action_story: ActionStory) -> None:
        survey_id = send_survey(action_story.story, AFTER)
        action_story.story.answer(survey_id, {CSAT: 1})
        action_story.story.submit(survey_id)
        action_story.follow(survey_id)
        assert calls(action_story.story)[:3] == ["conversation", "submit", "conversation"]
        assert calls(action_story.story).count("conversation") == 2
        assert set(action_story.counts(survey_id).values()) == {1}

    def test_alert_without_comment_needs_no_check(self, action_story: ActionStory) -> None:
        survey_id = send_survey(action_story.story, replace(EDITABLE, on_answer=(OnAnswer((1,), CSAT, slack=True),)))
        action_story.story.answer(survey_id, {CSAT: 1})
        action_story.run_once(survey_id)
        assert len(action_story.receiver.of("/slack")) == 1
        assert calls(action_story.story) == []


def test_due_reminder_detects_the_erasure(story: Story) -> None:
    survey_id = send_survey(story, replace(AT_ONCE, reminder=timedelta(hours=1)))
    story.dixa.erase(int(survey_id))
    write_fields(story, survey_id, offer_due=str(to_ms(datetime.now(UTC))))
    run_until_erased(story, story.offering, survey_id)
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
    run_until_erased(story, story.offering, survey_id)
    kept = json.dumps(fields(story, survey_id))
    person = dixa.conversation(int(survey_id)).requester.id
    assert person not in kept
    assert "facts" not in kept
