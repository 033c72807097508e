"""Each action after an answer runs once, or at most once, and delays no result."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from config.settings import Timings
from service.delivery.slack import SlackAlert
from service.journeys.follow_up import OUTCOME_UNKNOWN, FollowUpJourney, PlannedAction, plan_actions
from service.records.channels import name_receiver
from service.records.outcomes import StaleClaim
from service.sandbox.server import Sandbox
from service.surveys.model import Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ports import Deadline, FollowUpContext
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, FollowUpState, Journey
from tests.harness import AT_ONCE, CSAT, Story
from tests.journeys.action_story import ALL, TERMS, ActionStory, action_of, states
from tests.journeys.test_attempt import attempt_of
from tests.polling import eventually
from tests.receiver import DROP


def test_each_action_runs_once(action_story: ActionStory) -> None:
    survey_id = action_story.answered(comment="Too slow")
    record = action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert states(record) == dict.fromkeys(ALL, ActionState.DONE)
    assert record.follow_up
    assert record.follow_up.state is FollowUpState.FOLLOWED
    assert len(action_story.receiver.posts) == 2


@pytest.mark.parametrize(
    ("call", "path"), [("note", None), ("tag", None), ("tags", None), (None, "/slack"), (None, "/answer")]
)
def test_failed_action_is_retried_until_its_first_success(
    action_story: ActionStory, call: str | None, path: str | None
) -> None:
    survey_id = action_story.answered()
    if call:
        action_story.dixa.fails(2, 503, call=call)
    if path:
        action_story.receiver.next[path] = [503, 429]
    record = action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert set(states(record).values()) == {ActionState.DONE}


@pytest.mark.parametrize("loses", [Sandbox.executes_then_drops, Sandbox.executes_then_fails, Sandbox.drops_before])
@pytest.mark.parametrize("call", ["note", "tag"])
def test_lost_response_of_dixa_doubles_no_action(action_story: ActionStory, loses: Any, call: str) -> None:
    survey_id = action_story.answered()
    loses(action_story.dixa, 1, call=call)
    action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)


@pytest.mark.parametrize("status", [DROP, 500])
def test_alert_with_lost_response_is_not_repeated(action_story: ActionStory, status: int) -> None:
    survey_id = action_story.answered()
    action_story.receiver.next["/slack"] = [status]
    with capture_logs() as logs:
        record = action_story.follow(survey_id)
    assert len(action_story.receiver.of("/slack")) == 1
    assert action_of(record, "slack").problem == OUTCOME_UNKNOWN
    problems = {each["action"]: each["problem"] for each in logs if each["event"] == "action.done"}
    assert problems == dict.fromkeys(ALL) | {"slack": OUTCOME_UNKNOWN}


@pytest.mark.parametrize("status", [DROP, 500, 302])
def test_webhook_is_repeated_with_the_same_id(action_story: ActionStory, status: int) -> None:
    survey_id = action_story.answered()
    action_story.receiver.next["/answer"] = [status]
    action_story.follow(survey_id)
    assert [post.id for post in action_story.receiver.posts if post.path != "/slack"] == [
        f"afterword-{survey_id}-answered"
    ] * 2


@pytest.mark.parametrize("name", sorted(ALL))
def test_crash_between_begin_and_done_doubles_no_action(action_story: ActionStory, name: str) -> None:
    """The begun action was executed."""
    survey_id = action_story.answered()
    record = action_story.begin_and_crash(survey_id, name)
    planned = next(each for each in plan_actions(TERMS, {CSAT: 1}) if each.name == name)
    action_story.story.actions[planned.kind].act(_context_of(record, planned), _deadline(), is_retry=False)
    record = action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert action_of(record, name).problem == (OUTCOME_UNKNOWN if name == "slack" else "")


@pytest.mark.parametrize("name", sorted(ALL))
def test_crash_right_after_begin_repeats_the_action(action_story: ActionStory, name: str) -> None:
    """Only a begun alert counts as sent: an alert is sent at most once."""
    survey_id = action_story.answered()
    action_story.begin_and_crash(survey_id, name)
    action_story.follow(survey_id)
    assert action_story.counts(survey_id) == dict.fromkeys(ALL, 1) | ({"slack": 0} if name == "slack" else {})


def _context_of(record: Record, planned: PlannedAction) -> FollowUpContext:
    return FollowUpContext(record, planned.subject, planned.shows_comment)


def _deadline() -> Deadline:
    return Deadline(timedelta(seconds=5))


def test_slow_receiver_keeps_few_threads_busy(
    redis_client: redis.Redis, prefix: str, action_story: ActionStory
) -> None:
    """The other threads submit results."""
    actions = [SlackAlert(f"{action_story.receiver.url}/slack")]
    patient = Story(redis_client, prefix, action_story.dixa, timings=Timings(), actions=actions)
    terms = replace(AT_ONCE, on_answer=(OnAnswer((1,), CSAT, slack=True),))
    ids = [action_story.answered(terms=terms) for _ in range(4)]
    action_story.receiver.held.clear()
    threads = [Thread(target=patient.following.run, args=(survey_id,)) for survey_id in ids]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(not thread.is_alive() for thread in threads) == 2)
    eventually(lambda: len(action_story.receiver.of("/slack")) == 2)
    action_story.receiver.held.set()
    for thread in threads:
        thread.join()
    waiting = [state for survey_id in ids for state in states(action_story.story.load(survey_id)).values()]
    assert sorted(waiting) == [ActionState.DONE] * 2 + [ActionState.WAITING] * 2


TROUBLES: dict[str, tuple[Callable[[ActionStory], object], int]] = {
    "none": (lambda _: None, 0),
    "unavailable": (lambda action_story: action_story.dixa.fails(1, 503, call="note"), 1),
    "forbidden": (lambda action_story: action_story.dixa.fails(1, 403, call="note"), 1),
    "response lost": (lambda action_story: action_story.dixa.executes_then_drops(1, call="note"), 1),
    "receiver unavailable": (lambda action_story: action_story.receiver.next.update({"/answer": [503]}), 1),
    "receiver down": (
        lambda action_story: action_story.story.channels.failed(name_receiver("slack"), "other", "no"),
        1,
    ),
    "down since the check": (
        lambda action_story: action_story.story.after(
            "conversation", lambda: action_story.story.channels.failed(name_receiver("slack"), "other", "no")
        ),
        1,
    ),
}


@pytest.mark.parametrize(("trouble", "tries"), TROUBLES.values(), ids=TROUBLES)
def test_failed_action_counts_as_a_try(
    action_story: ActionStory, trouble: Callable[[ActionStory], object], tries: int
) -> None:
    survey_id = action_story.answered()
    trouble(action_story)
    record = action_story.run_once(survey_id)
    assert record.follow_up
    assert record.follow_up.tries == tries
    assert sum(state is not ActionState.DONE for state in states(action_story.follow(survey_id)).values()) == 0


@pytest.mark.parametrize("missing", ["answer", "follow_up", "terms"])
def test_follow_up_waits_for_a_lost_answer_or_lost_terms(story: Story, missing: str) -> None:
    attempt = attempt_of(Journey.FOLLOW_UP)
    record = replace(attempt.record, **{"terms": TERMS, missing: None})  # type: ignore[arg-type]
    journey = FollowUpJourney(story.records, actions=(), channels=story.channels)
    with pytest.raises(StaleClaim, match="lost"):
        journey.advance(attempt.with_record(record))


def test_failed_action_fails_the_follow_up(action_story: ActionStory) -> None:
    action_story.receiver.next["/slack"] = [400]
    follow_up = action_story.follow(action_story.answered()).follow_up
    assert follow_up
    assert (follow_up.state, follow_up.reason) == (FollowUpState.FAILED, Reason.REFUSED)
