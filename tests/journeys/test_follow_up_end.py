"""No action is retried forever. A failed action is shown and can be retried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.journeys.follow_up import OUTCOME_UNKNOWN, TOO_LONG
from service.surveys.model import ActionProgress
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, FollowUpState
from tests.harness import AT_ONCE, CSAT
from tests.journeys.action_story import ALL, LOW, ActionStory, action_of, states


def test_only_the_action_with_an_unknown_tag_fails(action_story: ActionStory) -> None:
    terms = replace(AT_ONCE, on_answer=(LOW, OnAnswer((1,), CSAT, tag="no-such-tag")))
    record = action_story.follow(action_story.answered(terms=terms))
    assert action_of(record, "tag:no-such-tag").problem == "Dixa has no tag of this name"
    assert record.follow_up
    assert (record.follow_up.state, record.follow_up.reason) == (FollowUpState.FAILED, Reason.REFUSED)
    assert [each for each, state in states(record).items() if state is ActionState.FAILED] == ["tag:no-such-tag"]
    assert action_story.counts(record.survey_id) == dict.fromkeys(ALL, 1)


def test_tags_are_fetched_once(action_story: ActionStory) -> None:
    for _ in range(3):
        action_story.follow(action_story.answered())
    assert [each.call for each in action_story.dixa.calls].count("tags") == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refusing_receiver_is_not_retried(action_story: ActionStory, status: int) -> None:
    action_story.receiver.next["/answer"] = [status]
    action_story.receiver.next["/slack"] = [status]
    record = action_story.follow(action_story.answered())
    assert len(action_story.receiver.posts) == 2
    assert action_of(record, "slack").problem == f"the receiver returned {status}"
    assert states(record)["note"] is ActionState.DONE


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410])
def test_misconfigured_receiver_is_retried(action_story: ActionStory, status: int) -> None:
    action_story.receiver.next["/answer"] = [status] * 2
    action_story.receiver.next["/slack"] = [status] * 2
    survey_id = action_story.answered(comment="Too slow")
    action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert action_story.receiver.taken("/answer")[0].body["data"]["comment"] == "Too slow"


def test_operator_can_retry_a_failed_action(action_story: ActionStory) -> None:
    action_story.receiver.next["/answer"] = [400]
    survey_id = action_story.answered()
    action_story.follow(survey_id)
    record = action_story.retry(survey_id)
    assert set(states(record).values()) == {ActionState.DONE}
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert len(action_story.receiver.of("/slack")) == 1


@pytest.mark.parametrize(("path", "name"), [("/answer", "webhook"), ("/slack", "slack")])
def test_unavailable_receiver_is_retried_for_a_day(action_story: ActionStory, path: str, name: str) -> None:
    """The day begins when the answer is final, an hour after it was given."""
    action_story.receiver.next[path] = [503] * 3
    survey_id = action_story.answered()
    for hours, state in ((0, ActionState.WAITING), (24, ActionState.WAITING), (26, ActionState.FAILED)):
        past = datetime.now(UTC) - timedelta(hours=hours)
        action_story.put(survey_id, answered_at=str(int(past.timestamp() * 1000)), follow_up_due="0")
        assert action_of(action_story.run_once(survey_id), name).state is state
    assert action_of(action_story.story.load(survey_id), name).problem == TOO_LONG
    assert len(action_story.receiver.of(path)) == 2


def test_begun_alert_never_fails_and_is_never_retried(action_story: ActionStory) -> None:
    """The age of the alert doesn't matter."""
    survey_id = action_story.answered()
    action_story.begin_and_crash(survey_id, "slack")
    past = str(int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000))
    action_story.put(survey_id, answered_at=past)
    record = action_story.follow(survey_id)
    assert action_of(record, "slack") == ActionProgress(ActionState.DONE, OUTCOME_UNKNOWN)
    assert action_story.receiver.of("/slack") == []


def test_retry_finds_a_tag_recreated_with_the_same_name(action_story: ActionStory) -> None:
    action_story.follow(action_story.answered())
    del action_story.dixa.state.tags["angry"]
    tag = action_story.dixa.state.tag("angry")
    survey_id = action_story.answered()
    assert states(action_story.follow(survey_id))["tag:angry"] is ActionState.FAILED
    action_story.retry(survey_id)
    assert [each.id for each in action_story.dixa.conversation(int(survey_id)).tags] == [tag.id]


def test_very_late_follow_up_is_still_tried_once(action_story: ActionStory) -> None:
    survey_id = action_story.answered()
    past = datetime.now(UTC) - timedelta(days=40)
    action_story.put(survey_id, answered_at=str(int(past.timestamp() * 1000)))
    action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)


def test_action_without_configuration_fails(action_story: ActionStory) -> None:
    del action_story.story.actions["slack"]
    record = action_story.follow(action_story.answered())
    assert states(record)["slack"] is ActionState.FAILED
    assert states(record)["note"] is ActionState.DONE


def test_follow_up_without_actions_ends(action_story: ActionStory) -> None:
    record = action_story.follow(action_story.answered(score=5))
    assert (record.follow_up and record.follow_up.actions) == {}
    assert action_story.receiver.posts == []
