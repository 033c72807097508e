"""The runner retries a record with an unknown state ever more rarely."""

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
