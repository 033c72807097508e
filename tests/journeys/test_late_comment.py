"""A comment from the thank-you page comes after the alert. A second alert sends it once."""

from dataclasses import replace

import pytest

from service.journeys.follow_up import IN_THE_ALERT, OUTCOME_UNKNOWN
from service.surveys.definition import Survey
from service.surveys.model import Record
from service.surveys.states import ActionState
from tests.harness import CSAT
from tests.journeys.team import ALL, HELD, LOW, Team, action_of, states
from tests.receiver import DROP

TERMS = replace(HELD, on_answer=(replace(LOW, comment=True),))
ADDED = "slack:comment"


def alerted(team: Team, comment: str = "", terms: Survey = TERMS) -> str:
    """Answer badly; the alert goes out while the answer is held."""
    survey_id = team.ask(terms)
    team.story.answer(survey_id, {CSAT: 1}, comment)
    team.turn(survey_id)
    return survey_id


def end_hold(team: Team, survey_id: str) -> None:
    team.put(survey_id, answer_due="0")
    team.story.submit(survey_id)
    team.put(survey_id, follow_up_due="0")


def finished(team: Team, survey_id: str) -> Record:
    """Let the editable time end, and do the rest."""
    end_hold(team, survey_id)
    return team.follow(survey_id)


def texts(team: Team) -> list[str]:
    return [post.body["text"] for post in team.receiver.taken("/slack")]


def test_it_is_told_once_the_answer_is_final(team: Team) -> None:
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too <slow>")
    assert states(team.turn(survey_id)) == {"slack": ActionState.DONE}
    record = finished(team, survey_id)
    _, added = texts(team)
    assert added.startswith(f"A comment was added.\nconversation {survey_id}, ")
    assert added.endswith("\nComment:\n> Too &lt;slow&gt;")
    assert states(record) == dict.fromkeys(ALL | {ADDED}, ActionState.DONE)


def test_one_that_the_alert_had_is_not_told_again(team: Team) -> None:
    record = finished(team, alerted(team, "Too slow"))
    (alert,) = texts(team)
    assert "Comment:\n> Too slow" in alert
    assert action_of(record, ADDED).problem == IN_THE_ALERT


def test_late_alert_contains_the_comment(team: Team) -> None:
    team.receiver.next["/slack"] = [503]
    survey_id = alerted(team)
    assert states(team.story.load(survey_id)) == {"slack": ActionState.WAITING}
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    finished(team, survey_id)
    assert ["Too slow" in text for text in texts(team)] == [True]


@pytest.mark.parametrize("status", [DROP, 500])
def test_it_is_not_repeated_when_its_answer_is_lost(team: Team, status: int) -> None:
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    team.receiver.next["/slack"] = [status]
    record = finished(team, survey_id)
    assert len(team.receiver.of("/slack")) == 2
    assert action_of(record, ADDED).problem == OUTCOME_UNKNOWN


def test_it_is_told_later_when_the_receiver_is_away(team: Team) -> None:
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    team.receiver.next["/slack"] = [503, 429]
    finished(team, survey_id)
    assert ["Too slow" in text for text in texts(team)] == [False, True]


def test_crash_after_begin_loses_the_comment_alert(team: Team) -> None:
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    end_hold(team, survey_id)
    claim = team.claim(survey_id)
    assert team.story.records.set_action(claim, ADDED, ActionState.BEGUN)
    team.put(survey_id, follow_up_lease="0", follow_up_due="0")
    record = team.follow(survey_id)
    assert len(texts(team)) == 1
    assert action_of(record, ADDED).problem == OUTCOME_UNKNOWN


@pytest.mark.parametrize("case", ["not allowed", "no comment", "a good answer now"])
def test_nothing_is_told(team: Team, case: str) -> None:
    survey_id = alerted(team, terms=HELD if case == "not allowed" else TERMS)
    score, comment = (5 if case == "a good answer now" else 1), ("" if case == "no comment" else "Too slow")
    team.story.answer(survey_id, {CSAT: score}, comment)
    record = finished(team, survey_id)
    assert "Too slow" not in "".join(texts(team))
    assert ADDED not in states(record)


@pytest.mark.parametrize("is_kept", [True, False])
def test_retry_of_a_refused_comment_alert_contains_it(team: Team, is_kept: bool) -> None:  # noqa: FBT001
    """If it isn't kept any more, it is in Dixa."""
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    team.receiver.next["/slack"] = [400]
    assert states(finished(team, survey_id))[ADDED] is ActionState.FAILED
    if not is_kept:
        team.forget_comment(survey_id)
    team.retry(survey_id)
    _, added = texts(team)
    assert added.startswith("A comment was added.\n" if is_kept else "A comment was added: see the rating in Dixa.\n")
    assert ("Too slow" in added) is is_kept


def test_retry_of_a_refused_alert_contains_the_comment(team: Team) -> None:
    team.receiver.next["/slack"] = [400]
    survey_id = alerted(team)
    team.story.answer(survey_id, {CSAT: 1}, "Too slow")
    finished(team, survey_id)
    assert texts(team) == []
    team.retry(survey_id)
    (alert,) = texts(team)
    assert "Very dissatisfied" in alert
    assert "Too slow" in alert
