"""The runner counts a failed call, or a record that no step can work on, as a try: the backoff grows."""

from structlog.testing import capture_logs

from tests.harness import Story


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
