"""While an answer can be changed, only an alert is sent; all else waits for the final answer."""

from datetime import UTC, datetime, timedelta

import pytest

from service.journeys.follow_up import _until_final
from service.records.codec import to_ms
from service.surveys.model import Answer, AnswerProgress
from service.surveys.states import ActionState, AnswerState, FollowUpState
from tests.harness import CSAT
from tests.journeys.team import ALL, HELD, Team, states
from tests.journeys.test_attempt import attempt_of


def test_a_low_score_alerts_at_once(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 1})
    record = team.run_once(survey_id)
    assert record.answer
    assert record.answer.state is AnswerState.EDITABLE
    assert states(record) == {"slack": ActionState.DONE}
    assert team.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 1}


def test_it_is_looked_at_again_when_the_hold_is_over(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 1})
    record = team.run_once(survey_id)
    assert record.follow_up
    assert record.answer
    assert record.follow_up.due_at
    assert record.answer.due_at
    assert abs(record.follow_up.due_at - record.answer.due_at) < timedelta(seconds=5)


def test_answer_changed_to_bad_alerts_at_once(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 5})
    assert states(team.run_once(survey_id)) == {}
    team.story.answer(survey_id, {CSAT: 2})
    assert states(team.run_once(survey_id)) == {"slack": ActionState.DONE}


def test_answer_changed_during_the_claim_alerts_at_once(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 5})
    claim = team.claim(survey_id)
    team.story.answer(survey_id, {CSAT: 1})
    team.story.records.reschedule(claim, timedelta(days=1), failed=False)
    assert states(team.run_once(survey_id)) == {"slack": ActionState.DONE}


def test_second_bad_answer_sends_no_second_alert(team: Team) -> None:
    survey_id = team.ask(HELD)
    for score in (1, 2, 1):
        team.story.answer(survey_id, {CSAT: score})
        team.run_once(survey_id)
    assert len(team.receiver.of("/slack")) == 1


def test_answer_changed_to_good_sends_only_a_correction(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 1})
    team.run_once(survey_id)
    team.story.answer(survey_id, {CSAT: 5})
    record = team.finish(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 2}
    assert record.follow_up
    assert record.follow_up.state is FollowUpState.FOLLOWED


def test_what_follows_says_the_last_answer(team: Team) -> None:
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 1})
    team.run_once(survey_id)
    team.story.answer(survey_id, {CSAT: 2}, "Late")
    team.finish(survey_id)
    assert "Dissatisfied (2 of 5)" in team.dixa.notes(int(survey_id))[0].message
    assert team.receiver.of("/answer")[0].body["data"]["scores"] == {"Csat": 2}


def test_a_failing_alert_keeps_no_result_waiting(team: Team) -> None:
    team.receiver.next["/slack"] = [503] * 50
    survey_id = team.ask()
    team.story.answer(survey_id, {CSAT: 1})
    team.run_once(survey_id)
    assert team.story.submit(survey_id).answer
    team.story.assert_once(survey_id)


@pytest.mark.parametrize(("overdue", "wait"), [(60, 60), (120, 120), (3600, 300)])
def test_the_longer_a_result_is_overdue_the_rarer_the_checks(team: Team, overdue: int, wait: int) -> None:
    """All times are in seconds. The checks are five minutes apart at most."""
    survey_id = team.ask(HELD)
    team.story.answer(survey_id, {CSAT: 5})
    now = datetime.now(UTC)
    team.put(survey_id, answer_due=str(to_ms(now - timedelta(seconds=overdue))))
    follow_up = team.run_once(survey_id).follow_up
    assert follow_up
    assert follow_up.due_at
    assert abs((follow_up.due_at - now).total_seconds() - wait) < 30


@pytest.mark.parametrize(
    ("left", "wait"), [(400, 400), (10, 10), (0.5, 1), (0, 1), (-3, 3), (-299, 299), (-3600, 300), (None, 1)]
)
def test_the_answer_is_looked_at_again_when_it_is_final_and_then_ever_more_rarely(
    left: float | None, wait: float
) -> None:
    """All times are in seconds."""
    attempt = attempt_of()
    due_at = None if left is None else attempt.at + timedelta(seconds=left)
    answer = AnswerProgress(AnswerState.EDITABLE, Answer({CSAT: 4}, "", "en", attempt.at), due_at=due_at)
    assert _until_final(attempt, answer) == timedelta(seconds=wait)
