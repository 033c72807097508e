"""The runner counts a failed call and an unusable record as a try, so the backoff grows."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.harness import Story

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_unusable_record_is_retried_with_a_growing_backoff(story: Story) -> None:
    """For example after a manual change of the record."""
    survey_id = story.begin()
    story.records._redis.hdel(story.records._key(survey_id), "close")
    with capture_logs() as logs:
        story.offering.run(survey_id)
    assert [(each["event"], each["outcome"]) for each in logs] == [("claim.stale", "no close to decide about")]
    assert story.load(survey_id).offer.tries == 1
    assert story.dixa.calls == []


def test_lost_unexecuted_call_counts_as_a_try(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.drops_before(1, call="offer")
    story.offering.run(survey_id)
    lost = story.load(survey_id).offer
    assert lost.call
    record = story.run_until(story.offering, survey_id, lambda record: record.offer.call is None)
    assert record.offer.tries == lost.tries + 1
    assert story.dixa.offers() == []


@pytest.mark.parametrize(("call", "status"), [("conversation", 503), ("conversation", 403), ("offer", 429)])
def test_failed_call_counts_as_a_try(story: Story, call: str, status: int) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, status, call=call)
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.tries == 1


def test_survey_waits_for_a_failed_channel_without_a_try(story: Story) -> None:
    survey_id = story.begin()
    story.channels.pause = MINUTE
    story.channels.failed("message", "another", "away")
    before = datetime.now(UTC)
    story.offering.run(survey_id)
    offer = story.load(survey_id).offer
    assert offer.due_at
    assert (offer.due_at > before + 30 * SECOND, offer.tries) == (True, 0)
