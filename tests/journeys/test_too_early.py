"""Right after a close Dixa's API may lag behind. The survey is then retried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.journeys.attempt import Attempt
from service.records.codec import to_ms
from service.sandbox.server import Sandbox
from service.surveys.ports import Deadline
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from tests.harness import QUICK, Story
from tests.moments import moment

LAG = replace(QUICK, dixa_lag=timedelta(hours=1))


@pytest.fixture
def story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    """Return journeys with a recent close. Dixa may lag an hour behind it."""
    return Story(redis_client, prefix, dixa, timings=LAG)


@pytest.mark.parametrize(
    ("call", "status"),
    [("conversation", 404), ("ratings", 404), ("offer", 404), ("offer", 409), ("offer", 423), ("offer", 425)],
)
def test_refusal_right_after_the_close_is_retried(story: Story, call: str, status: int) -> None:
    survey_id = story.begin()
    story.dixa.fails(2, status, call=call)
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.tries) == (OfferState.DELIVERED, 0)
    assert len(story.dixa.offers(record.conversation_id)) == 1


@pytest.mark.parametrize("status", [400, 422])
def test_invalid_offer_fails_the_survey_at_once(story: Story, status: int) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, status, call="offer")
    assert story.ask(survey_id).offer.state is OfferState.FAILED


@pytest.mark.parametrize("status", [404, 409])
def test_message_refused_right_after_the_offer_is_retried(story: Story, status: int) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, status, call="message")
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.failed) == (OfferState.DELIVERED, ())


def test_refusal_after_the_lag_fails_the_survey(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    story = Story(redis_client, prefix, dixa, timings=replace(QUICK, dixa_lag=timedelta(milliseconds=1)))
    survey_id = story.begin(closed_at=moment() - timedelta(hours=1))
    story.records._redis.hset(story.records._key(survey_id), "accepted_at", str(to_ms(moment() - timedelta(hours=1))))
    dixa.fails(1, 404, call="conversation")
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.NOT_FOUND)


def lag_behind(story: Story, survey_id: str) -> None:
    """Make Dixa's API return the conversation with its state before the close."""
    found = story.dixa.conversation(int(survey_id))
    found.state, found.state_updated_at = "Open", found.state_updated_at - timedelta(minutes=1)


def test_lagging_conversation_is_fetched_again(story: Story) -> None:
    survey_id = story.begin()
    lag_behind(story, survey_id)
    story.offering.run(survey_id)
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.tries, record.decided_at) == (OfferState.DECIDING, 0, None)
    story.dixa.conversation(int(survey_id)).state = "Closed"
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_conversation_reopened_after_the_close_is_cancelled(story: Story) -> None:
    # A reopening in the millisecond of the close could be the earlier state. `moment` may be ahead of the clock.
    survey_id = story.begin(closed_at=datetime.now(UTC) - timedelta(milliseconds=1))
    story.dixa.reopen(int(survey_id))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.REOPENED)


def test_lag_wait_doubles(story: Story) -> None:
    survey_id = story.begin()
    waits = []
    for age in (timedelta(), timedelta(seconds=10), timedelta(minutes=30)):
        long_ago = moment() - age
        for field in ("accepted_at", "offer_due"):
            story.records._redis.hset(story.records._key(survey_id), field, str(to_ms(long_ago)))
        record = story.load(survey_id)
        assert record.close
        story.dixa.fails(1, 404, call="conversation")
        claim = story.records.claim(story.offering.journey, survey_id)
        assert claim
        past = replace(claim.record, close=replace(record.close, closed_at=long_ago))
        deadline = Deadline(timedelta(seconds=1))
        wait = Attempt(replace(claim, record=past), deadline, story.calls, LAG, timedelta()).lag_wait()
        assert wait
        waits.append(wait)
        story.records.reschedule(claim, timedelta(), failed=False)
    assert waits[0] < timedelta(seconds=9)
    assert timedelta(seconds=9) < waits[1] < timedelta(seconds=20)
    assert waits[2] == timedelta(minutes=1)
