"""The runner counts a failed call, or a record that no step can work on, as a try: the backoff grows."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from service.surveys.ports import Deadline, Slot
from tests.harness import CSAT, Story

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_a_record_that_no_step_can_work_on_is_retried_ever_more_rarely(story: Story) -> None:
    """Such as after a manual change of it."""
    survey_id = story.begin()
    story.records._redis.hdel(story.records._key(survey_id), "close")
    with capture_logs() as logs:
        story.offering.run(survey_id)
    assert [(each["event"], each["outcome"]) for each in logs] == [("claim.stale", "no close to decide about")]
    assert story.load(survey_id).offer.tries == 1
    assert story.dixa.calls == []


def test_a_lost_call_that_was_not_executed_counts_as_a_try(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.drops_before(1, call="offer")
    story.offering.run(survey_id)
    lost = story.load(survey_id).offer
    assert lost.call
    record = story.run_until(story.offering, survey_id, lambda record: record.offer.call is None)
    assert record.offer.tries == lost.tries + 1
    assert story.dixa.offers() == []


@pytest.mark.parametrize(("call", "status"), [("conversation", 503), ("conversation", 403), ("offer", 429)])
def test_a_failed_call_counts_as_a_try(story: Story, call: str, status: int) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, status, call=call)
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.tries == 1


def test_a_survey_whose_channel_is_down_waits_for_it_and_counts_no_try(story: Story) -> None:
    survey_id = story.begin()
    story.channels.pause = MINUTE
    story.channels.failed("message", "another", "away")
    before = datetime.now(UTC)
    story.offering.run(survey_id)
    offer = story.load(survey_id).offer
    assert offer.due_at
    assert (offer.due_at > before + 30 * SECOND, offer.tries) == (True, 0)


def test_an_offer_waits_half_as_long_for_its_first_slot_as_an_answer(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So answers go first."""
    waits: list[timedelta] = []
    take_slot = story.calls.take_slot

    def watch(deadline: Deadline, max_wait: timedelta) -> Slot:
        waits.append(max_wait)
        return take_slot(deadline, max_wait)

    survey_id = story.begin()
    monkeypatch.setattr(story.calls, "take_slot", watch)
    story.offering.run(survey_id)
    assert waits[0] == SECOND / 2
    waits.clear()
    story.answer(survey_id, {CSAT: 4})
    story.answering.run(survey_id)
    assert waits == [SECOND]
