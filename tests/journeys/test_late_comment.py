"""A comment from the thank-you page is later than the alert. A second alert contains it once."""

from dataclasses import replace

import pytest

from service.journeys.follow_up import IN_THE_ALERT, OUTCOME_UNKNOWN
from service.surveys.states import ActionState
from tests.harness import CSAT
from tests.journeys.action_story import ALL, EDITABLE, LOW, ActionStory, action_of, states
from tests.receiver import DROP

TERMS = replace(EDITABLE, on_answer=(replace(LOW, comment=True),))
ADDED = "slack:comment"


def test_late_comment_is_sent_when_the_answer_is_final(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too <slow>")
    assert states(action_story.run_once(survey_id)) == {"slack": ActionState.DONE}
    record = action_story.finish(survey_id)
    _, added = action_story.alerts()
    assert added.startswith(f"A comment was added.\nconversation {survey_id}, ")
    assert added.endswith("\nComment:\n> Too &lt;slow&gt;")
    assert states(record) == dict.fromkeys(ALL | {ADDED}, ActionState.DONE)


def test_comment_of_the_alert_is_not_repeated(action_story: ActionStory) -> None:
    record = action_story.finish(action_story.alerted(TERMS, comment="Too slow"))
    (alert,) = action_story.alerts()
    assert "Comment:\n> Too slow" in alert
    assert action_of(record, ADDED).problem == IN_THE_ALERT


def test_late_alert_contains_the_comment(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [503]
    survey_id = action_story.alerted(TERMS)
    assert states(action_story.story.load(survey_id)) == {"slack": ActionState.WAITING}
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.finish(survey_id)
    assert ["Too slow" in text for text in action_story.alerts()] == [True]


@pytest.mark.parametrize("status", [DROP, 500])
def test_comment_alert_with_a_lost_response_is_not_repeated(action_story: ActionStory, status: int) -> None:
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.receiver.next["/slack"] = [status]
    record = action_story.finish(survey_id)
    assert len(action_story.receiver.of("/slack")) == 2
    assert action_of(record, ADDED).problem == OUTCOME_UNKNOWN


def test_comment_alert_is_retried_when_the_receiver_is_back(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.receiver.next["/slack"] = [503, 429]
    action_story.finish(survey_id)
    assert ["Too slow" in text for text in action_story.alerts()] == [False, True]


def test_crash_after_begin_loses_the_comment_alert(action_story: ActionStory) -> None:
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.end_editable_time(survey_id)
    action_story.begin_and_crash(survey_id, ADDED)
    record = action_story.follow(survey_id)
    assert len(action_story.alerts()) == 1
    assert action_of(record, ADDED).problem == OUTCOME_UNKNOWN


@pytest.mark.parametrize("case", ["not allowed", "no comment", "a high score now"])
def test_no_comment_alert_is_sent(action_story: ActionStory, case: str) -> None:
    survey_id = action_story.alerted(EDITABLE if case == "not allowed" else TERMS)
    score, comment = (5 if case == "a high score now" else 1), ("" if case == "no comment" else "Too slow")
    action_story.story.answer(survey_id, {CSAT: score}, comment)
    record = action_story.finish(survey_id)
    assert "Too slow" not in "".join(action_story.alerts())
    assert ADDED not in states(record)


@pytest.mark.parametrize("is_kept", [True, False])
def test_retry_of_a_refused_comment_alert_contains_the_comment(action_story: ActionStory, is_kept: bool) -> None:  # noqa: FBT001
    """After its deletion, the alert refers to Dixa instead."""
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.receiver.next["/slack"] = [400]
    assert states(action_story.finish(survey_id))[ADDED] is ActionState.FAILED
    if not is_kept:
        action_story.delete_kept_comment(survey_id)
    action_story.retry(survey_id)
    _, added = action_story.alerts()
    assert added.startswith("A comment was added.\n" if is_kept else "A comment was added: see the rating in Dixa.\n")
    assert ("Too slow" in added) is is_kept


def test_retry_of_a_refused_alert_contains_the_comment(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [400]
    survey_id = action_story.alerted(TERMS)
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.finish(survey_id)
    assert action_story.alerts() == []
    action_story.retry(survey_id)
    (alert,) = action_story.alerts()
    assert "Very dissatisfied" in alert
    assert "Too slow" in alert
