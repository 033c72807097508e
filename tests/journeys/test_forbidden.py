"""A forbidden conversation stops its own survey alone. A refused token stops that token alone."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from service.delivery.note import AnswerNote
from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.server import Sandbox
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, FollowUpState, OfferState
from tests.harness import AT_ONCE, CSAT, Story, open_client
from tests.sandboxes import sandbox as opened

FORBIDDEN = [401, 403]
CALLS = ["conversation", "ratings", "offer", "message"]


def forbid(dixa: Sandbox, survey_id: str, status: int = 403, *, times: int = 10_000, call: str | None = None) -> None:
    dixa.inject(Fault(Kind.FAILS, times, call, status, conversation=int(survey_id)))


@pytest.mark.parametrize("status", FORBIDDEN)
def test_forbidden_conversation_delays_no_other_survey(
    story: Story, redis_client: redis.Redis, prefix: str, status: int
) -> None:
    poisoned, *others = (story.begin() for _ in range(10))
    forbid(story.dixa, poisoned, status)
    for survey_id in (poisoned, *others):
        story.offering.run(survey_id)
    # One claim was enough for each other survey, right after the refusal.
    assert {story.load(each).offer.state for each in others} == {OfferState.DELIVERED}
    assert redis_client.keys(f"{prefix}pace:*cooldown") == []
    record = story.ask(poisoned)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.FORBIDDEN)
    forbidden_calls = Counter(each.call for each in story.dixa.calls if each.status == status)
    assert forbidden_calls == {"conversation": 11}


@pytest.mark.parametrize("call", CALLS)
def test_survey_forbidden_for_a_while_is_sent_later(story: Story, call: str) -> None:
    survey_id = story.begin()
    forbid(story.dixa, survey_id, times=2, call=call)
    record = story.complete(survey_id, {CSAT: 4})
    assert record.offer.state is OfferState.DELIVERED
    story.assert_once(survey_id)


@pytest.mark.parametrize("call", CALLS)
def test_forbidden_survey_fails_and_can_be_retried(story: Story, call: str) -> None:
    survey_id = story.begin()
    forbid(story.dixa, survey_id, call=call)
    assert story.ask(survey_id).offer.reason == Reason.FORBIDDEN
    story.dixa.faults.clear()
    assert story.records.retry(story.offering.journey, survey_id) == "retried"
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED
    assert len(story.dixa.offers()) == len(story.dixa.messages(int(survey_id))) == 1


def test_forbidden_result_is_retried_then_fails(story: Story) -> None:
    first, second = story.begin(), story.begin()
    for survey_id, times in ((first, 2), (second, 10_000)):
        story.ask(survey_id)
        story.answer(survey_id, {CSAT: 4})
        forbid(story.dixa, survey_id, times=times, call="submit")
    answers = [story.submit(each).answer for each in (first, second)]
    assert [each and each.state for each in answers] == [AnswerState.SUBMITTED, AnswerState.FAILED]
    assert answers[1]
    assert answers[1].reason == Reason.FORBIDDEN
    story.assert_once(first)


def test_no_comment_is_sent_to_an_unreadable_conversation(story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4}, "Tak")
    forbid(story.dixa, survey_id, call="conversation")
    answer = story.submit(survey_id).answer
    assert answer
    assert answer.reason == Reason.FORBIDDEN
    assert "submit" not in {each.call for each in story.dixa.calls}


@pytest.mark.parametrize(("times", "state"), [(2, FollowUpState.FOLLOWED), (10_000, FollowUpState.FAILED)])
def test_forbidden_note_is_retried_then_fails(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, times: int, state: FollowUpState
) -> None:
    story = Story(redis_client, prefix, dixa, actions=[AnswerNote(open_client(dixa, redis_client, prefix))])
    survey_id = story.begin(replace(AT_ONCE, on_answer=(OnAnswer((1, 2), CSAT, note=True),)))
    story.complete(survey_id, {CSAT: 1})
    forbid(dixa, survey_id, times=times, call="note")
    record = story.follow(survey_id)
    assert record.follow_up
    assert record.follow_up.state is state
    assert len(dixa.notes(int(survey_id))) == (1 if times == 2 else 0)


def test_revoked_token_does_not_stop_other_tokens(redis_client: redis.Redis, prefix: str) -> None:
    with opened(tokens=("first-token", "second-token")) as dixa:
        dixa.api.tokens = ("second-token",)
        story = Story(redis_client, prefix, dixa)
        story.calls._token_retry_after = timedelta(minutes=1)
        for survey_id in [story.begin() for _ in range(5)]:
            record = story.ask(survey_id)
            assert (record.offer.state, record.offer.tries) == (OfferState.DELIVERED, 0)
        # The refused call, and the check of the token.
        assert [each.status for each in dixa.calls].count(401) == 2
