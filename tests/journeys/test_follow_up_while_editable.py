"""While an answer can be changed, only an alert is sent; all else waits for the final answer."""

from datetime import UTC, datetime, timedelta

import pytest

from service.journeys.follow_up import _until_final
from service.records.codec import to_ms
from service.surveys.model import Answer, AnswerProgress
from service.surveys.states import ActionState, AnswerState, FollowUpState
from tests.harness import CSAT
from tests.journeys.action_story import ALL, EDITABLE, ActionStory, states
from tests.journeys.test_attempt import attempt_of
from tests.moments import moment


def test_low_score_sends_an_alert_at_once(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 1})
    record = action_story.run_once(survey_id)
    assert record.answer
    assert record.answer.state is AnswerState.EDITABLE
    assert states(record) == {"slack": ActionState.DONE}
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 1}


def test_follow_up_is_due_again_after_the_editable_time(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 1})
    record = action_story.run_once(survey_id)
    assert record.follow_up
    assert record.answer
    assert record.follow_up.due_at
    assert record.answer.due_at
    assert abs(record.follow_up.due_at - record.answer.due_at) < timedelta(seconds=5)


def test_answer_changed_to_a_low_score_sends_an_alert_at_once(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 5})
    assert states(action_story.run_once(survey_id)) == {}
    action_story.story.answer(survey_id, {CSAT: 2})
    assert states(action_story.run_once(survey_id)) == {"slack": ActionState.DONE}


def test_answer_changed_during_the_claim_sends_an_alert_at_once(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 5})
    claim = action_story.claim(survey_id)
    moment()  # Within one millisecond the claim couldn't tell the second answer from the first.
    action_story.story.answer(survey_id, {CSAT: 1})
    action_story.story.records.reschedule(claim, timedelta(days=1), failed=False)
    assert states(action_story.run_once(survey_id)) == {"slack": ActionState.DONE}


def test_second_low_score_sends_no_second_alert(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    for score in (1, 2, 1):
        action_story.story.answer(survey_id, {CSAT: score})
        action_story.run_once(survey_id)
    assert len(action_story.receiver.of("/slack")) == 1


def test_answer_changed_to_a_high_score_sends_only_a_correction(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 1})
    action_story.run_once(survey_id)
    action_story.story.answer(survey_id, {CSAT: 5})
    record = action_story.finish(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 2}
    assert record.follow_up
    assert record.follow_up.state is FollowUpState.FOLLOWED


def test_note_and_webhook_contain_the_last_answer(action_story: ActionStory) -> None:
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 1})
    action_story.run_once(survey_id)
    action_story.story.answer(survey_id, {CSAT: 2}, "Late")
    action_story.finish(survey_id)
    assert "Dissatisfied (2 of 5)" in action_story.dixa.notes(int(survey_id))[0].message
    assert action_story.receiver.of("/answer")[0].body["data"]["scores"] == {"Csat": 2}


def test_failing_alert_does_not_delay_the_result(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [503] * 50
    survey_id = action_story.ask()
    action_story.story.answer(survey_id, {CSAT: 1})
    action_story.run_once(survey_id)
    assert action_story.story.submit(survey_id).answer
    action_story.story.assert_once(survey_id)


@pytest.mark.parametrize(("overdue", "wait"), [(60, 60), (120, 120), (3600, 300)])
def test_checks_for_an_overdue_result_are_increasingly_rare(action_story: ActionStory, overdue: int, wait: int) -> None:
    """All times are in seconds. The checks are five minutes apart at most."""
    survey_id = action_story.ask(EDITABLE)
    action_story.story.answer(survey_id, {CSAT: 5})
    now = datetime.now(UTC)
    action_story.put(survey_id, answer_due=str(to_ms(now - timedelta(seconds=overdue))))
    follow_up = action_story.run_once(survey_id).follow_up
    assert follow_up
    assert follow_up.due_at
    assert abs((follow_up.due_at - now).total_seconds() - wait) < 30


@pytest.mark.parametrize(
    ("left", "wait"), [(400, 400), (10, 10), (0.5, 1), (0, 1), (-3, 3), (-299, 299), (-3600, 300), (None, 1)]
)
def test_wait_ends_with_the_editable_time_and_then_grows(left: float | None, wait: float) -> None:
    """All times are in seconds."""
    attempt = attempt_of()
    due_at = None if left is None else attempt.at + timedelta(seconds=left)
    answer = AnswerProgress(AnswerState.EDITABLE, Answer({CSAT: 4}, "", "en", attempt.at), due_at=due_at)
    assert _until_final(attempt, answer) == timedelta(seconds=wait)
