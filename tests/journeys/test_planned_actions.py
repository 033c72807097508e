"""The actions planned for an answer."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from service.journeys.follow_up import IN_THE_ALERT, IN_THE_CORRECTION, PlannedAction, plan_actions, plan_corrections
from service.surveys.model import ActionProgress, Answer, AnswerProgress, FollowUp
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.states import ActionState, AnswerState, FollowUpState
from tests.harness import AT_ONCE, CSAT, NPS


def find(scores: dict[RatingType, int], *after: OnAnswer) -> list[str]:
    return [each.name for each in plan_actions(replace(AT_ONCE, ratings=(CSAT, NPS), on_answer=after), scores)]


def test_action_of_two_rules_is_planned_once() -> None:
    twice = OnAnswer((1,), CSAT, slack=True, tag="angry"), OnAnswer((0, 1), NPS, slack=True, tag="sad")
    assert find({CSAT: 1, NPS: 1}, *twice) == ["slack", "tag:angry", "tag:sad"]
    assert find({NPS: 0}, *twice) == ["slack", "tag:sad"]
    assert find({CSAT: 5, NPS: 9}, *twice) == []


def test_comment_is_quoted_if_one_rule_allows_it() -> None:
    after = OnAnswer((1,), CSAT, note=True), OnAnswer((1, 2), CSAT, note=True, comment=True, slack=True)
    found = {each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=after), {CSAT: 1})}
    assert found == {"slack": True, "note": True}


def test_webhook_always_contains_the_comment() -> None:
    after = OnAnswer((1,), CSAT, webhook=True, slack=True)
    found = {each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=(after,)), {CSAT: 1})}
    assert found == {"slack": False, "webhook": True}


ALERT, QUOTING_ALERT = PlannedAction("slack"), PlannedAction("slack", shows_comment=True)
CORRECTION, COMMENT = PlannedAction("slack", "correction"), PlannedAction("slack", "comment", shows_comment=True)
QUOTING_CORRECTION = replace(CORRECTION, shows_comment=True)
SENT = ActionProgress(ActionState.DONE, sent_scores={CSAT: 1})
IN_ALERT, IN_CORRECTION = (ActionProgress(ActionState.DONE, where) for where in (IN_THE_ALERT, IN_THE_CORRECTION))


def corrections(
    score: int, planned: Collection[PlannedAction] = (ALERT,), *, has_comment: bool = False, **actions: ActionProgress
) -> list[PlannedAction]:
    """Plan the second alerts for an answer with this score. `slack_comment` is the separate alert for a comment."""
    answer = AnswerProgress(
        AnswerState.SUBMITTED, Answer({CSAT: score}, "", "en", datetime.now(UTC)), comment_sha1="5d41" * has_comment
    )
    done = {name.replace("_", ":"): each for name, each in actions.items()}
    return list(plan_corrections(planned, answer, FollowUp(FollowUpState.FOLLOWING, actions=done)))


@pytest.mark.parametrize("state", [ActionState.WAITING, ActionState.FAILED, None])
def test_unsent_alert_is_not_corrected(state: ActionState | None) -> None:
    actions = {"slack": replace(SENT, state=state)} if state else {}
    assert corrections(5, [QUOTING_ALERT], has_comment=True, **actions) == []


@pytest.mark.parametrize("state", [ActionState.BEGUN, ActionState.DONE])
def test_changed_scores_are_corrected(state: ActionState) -> None:
    sent = replace(SENT, state=state)
    assert corrections(1, slack=sent) == []
    assert corrections(2, slack=sent) == [CORRECTION]
    assert corrections(2, slack=replace(sent, sent_scores={})) == []


def test_begun_alert_without_a_rule_for_the_last_scores_still_ends() -> None:
    note = PlannedAction("note")
    assert corrections(5, [note], slack=SENT) == [ALERT, CORRECTION]
    assert corrections(2, [note, ALERT], slack=SENT) == [CORRECTION]


def test_later_comment_is_sent_only_if_allowed() -> None:
    assert corrections(1, [QUOTING_ALERT], has_comment=True, slack=SENT) == [COMMENT]
    assert corrections(1, [QUOTING_ALERT], slack=SENT) == []
    assert corrections(1, [ALERT], has_comment=True, slack=SENT) == []
    assert corrections(1, [ALERT, PlannedAction("note", shows_comment=True)], has_comment=True, slack=SENT) == []


def test_later_comment_is_part_of_the_correction() -> None:
    found = partial(corrections, 2, [QUOTING_ALERT], slack=SENT)
    assert found() == [CORRECTION]
    assert found(has_comment=True) == [QUOTING_CORRECTION]
    assert found(has_comment=True, slack_comment=IN_CORRECTION) == [QUOTING_CORRECTION]
    assert found(has_comment=True, slack_comment=IN_ALERT) == [CORRECTION, COMMENT]
    assert corrections(2, [ALERT], has_comment=True, slack=SENT) == [CORRECTION]
