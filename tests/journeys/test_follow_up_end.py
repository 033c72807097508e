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
from tests.journeys.team import ALL, LOW, Team, action_of, states


def test_only_the_action_with_an_unknown_tag_fails(team: Team) -> None:
    terms = replace(AT_ONCE, on_answer=(LOW, OnAnswer((1,), CSAT, tag="no-such-tag")))
    record = team.follow(team.answered(terms=terms))
    assert action_of(record, "tag:no-such-tag").problem == "Dixa has no tag of this name"
    assert record.follow_up
    assert (record.follow_up.state, record.follow_up.reason) == (FollowUpState.FAILED, Reason.REFUSED)
    assert [each for each, state in states(record).items() if state is ActionState.FAILED] == ["tag:no-such-tag"]
    assert team.counts(record.survey_id) == dict.fromkeys(ALL, 1)


def test_tags_are_fetched_once(team: Team) -> None:
    for _ in range(3):
        team.follow(team.answered())
    assert [each.call for each in team.dixa.calls].count("tags") == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refusing_receiver_is_not_retried(team: Team, status: int) -> None:
    team.receiver.next["/answer"] = [status]
    team.receiver.next["/slack"] = [status]
    record = team.follow(team.answered())
    assert len(team.receiver.posts) == 2
    assert action_of(record, "slack").problem == f"the receiver returned {status}"
    assert states(record)["note"] is ActionState.DONE


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410])
def test_misconfigured_receiver_is_retried(team: Team, status: int) -> None:
    team.receiver.next["/answer"] = [status] * 2
    team.receiver.next["/slack"] = [status] * 2
    survey_id = team.answered(comment="Too slow")
    team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert team.receiver.taken("/answer")[0].body["data"]["comment"] == "Too slow"


def test_operator_can_retry_a_failed_action(team: Team) -> None:
    team.receiver.next["/answer"] = [400]
    survey_id = team.answered()
    team.follow(survey_id)
    record = team.retry(survey_id)
    assert set(states(record).values()) == {ActionState.DONE}
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert len(team.receiver.of("/slack")) == 1


@pytest.mark.parametrize(("path", "name"), [("/answer", "webhook"), ("/slack", "slack")])
def test_unavailable_receiver_is_retried_for_a_day(team: Team, path: str, name: str) -> None:
    """The day begins when the answer is final, an hour after it was given."""
    team.receiver.next[path] = [503] * 3
    survey_id = team.answered()
    for hours, state in ((0, ActionState.WAITING), (24, ActionState.WAITING), (26, ActionState.FAILED)):
        past = datetime.now(UTC) - timedelta(hours=hours)
        team.put(survey_id, answered_at=str(int(past.timestamp() * 1000)), follow_up_due="0")
        assert action_of(team.run_once(survey_id), name).state is state
    assert action_of(team.story.load(survey_id), name).problem == TOO_LONG
    assert len(team.receiver.of(path)) == 2


def test_begun_alert_never_fails_and_is_never_retried(team: Team) -> None:
    """The age of the alert doesn't matter."""
    survey_id = team.answered()
    team.begin_and_crash(survey_id, "slack")
    past = str(int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000))
    team.put(survey_id, answered_at=past)
    record = team.follow(survey_id)
    assert action_of(record, "slack") == ActionProgress(ActionState.DONE, OUTCOME_UNKNOWN)
    assert team.receiver.of("/slack") == []


def test_retry_finds_a_tag_recreated_with_the_same_name(team: Team) -> None:
    team.follow(team.answered())
    del team.dixa.state.tags["angry"]
    tag = team.dixa.state.tag("angry")
    survey_id = team.answered()
    assert states(team.follow(survey_id))["tag:angry"] is ActionState.FAILED
    team.retry(survey_id)
    assert [each.id for each in team.dixa.conversation(int(survey_id)).tags] == [tag.id]


def test_very_late_follow_up_is_still_tried_once(team: Team) -> None:
    survey_id = team.answered()
    past = datetime.now(UTC) - timedelta(days=40)
    team.put(survey_id, answered_at=str(int(past.timestamp() * 1000)))
    team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)


def test_action_without_configuration_fails(team: Team) -> None:
    del team.story.actions["slack"]
    record = team.follow(team.answered())
    assert states(record)["slack"] is ActionState.FAILED
    assert states(record)["note"] is ActionState.DONE


def test_follow_up_without_actions_ends(team: Team) -> None:
    record = team.follow(team.answered(score=5))
    assert (record.follow_up and record.follow_up.actions) == {}
    assert team.receiver.posts == []
