"""A suspect answer cancels the reminder only when it is final."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.rules.timeline import describe
from service.surveys.definition import Survey
from service.surveys.states import OfferState
from tests.journeys.robot_story import HOUR, MINUTE, NOW, TERMS, RobotStory

REMINDED = replace(TERMS, reminder=12 * HOUR)


def reminders(robot_story: RobotStory, survey_id: str) -> int:
    found = robot_story.story.dixa.messages(int(survey_id))
    return sum((each.external_id or "").endswith("-reminder") for each in found)


def test_suspect_answer_does_not_cancel_the_reminder(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(REMINDED)
    robot_story.answer_as_robot(survey_id)
    assert robot_story.story.load(survey_id).offer.state is OfferState.REMINDING
    robot_story.write_times(survey_id, offer_due=NOW)
    assert robot_story.story.ask(survey_id).offer.note == ""
    assert reminders(robot_story, survey_id) == 1
    assert robot_story.answer_as_customer(survey_id) == "saved"


def test_answer_after_a_suspect_answer_cancels_the_reminder(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(REMINDED)
    robot_story.answer_as_robot(survey_id)
    robot_story.answer_as_customer(survey_id)
    record = robot_story.story.load(survey_id)
    assert (record.offer.state, record.offer.due_at) == (OfferState.DELIVERED, None)
    robot_story.story.offering.run(survey_id)
    assert reminders(robot_story, survey_id) == 0


def test_final_suspect_answer_cancels_the_reminder(robot_story: RobotStory) -> None:
    """The customer can't change the answer any more."""
    survey_id = robot_story.ask(REMINDED)
    robot_story.answer_as_robot(survey_id)
    robot_story.end_editable_time(survey_id)
    robot_story.story.submit(survey_id)
    robot_story.write_times(survey_id, offer_due=NOW)
    assert robot_story.story.ask(survey_id).offer.note == "no reminder: answered"
    assert reminders(robot_story, survey_id) == 0


def test_answer_final_during_a_claim_cancels_the_reminder(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(REMINDED)
    robot_story.answer_as_robot(survey_id)
    robot_story.end_editable_time(survey_id)
    robot_story.write_times(survey_id, offer_due=NOW)
    robot_story.story.after("conversation", lambda: robot_story.story.submit(survey_id))
    robot_story.story.offering.run(survey_id)
    assert reminders(robot_story, survey_id) == 0


@pytest.mark.parametrize("terms", [REMINDED, TERMS])
def test_suspect_answer_before_delivered_keeps_the_reminder(robot_story: RobotStory, terms: Survey) -> None:
    """The worker hasn't recorded the delivery yet."""
    survey_id = robot_story.story.begin(terms)
    robot_story.story.after("message", lambda: robot_story.answer_as_robot(survey_id))
    robot_story.story.run_until(robot_story.story.offering, survey_id, lambda record: record.answer is not None)
    record = robot_story.story.load(survey_id)
    assert record.offer.state is (OfferState.REMINDING if terms.reminder else OfferState.DELIVERED)
    assert record.offer.delivered_at
    if record.offer.due_at:
        assert abs(record.offer.due_at - datetime.now(UTC) - 12 * HOUR) < MINUTE
        robot_story.write_times(survey_id, offer_due=NOW)
        robot_story.story.ask(survey_id)
    assert reminders(robot_story, survey_id) == bool(terms.reminder)
    assert len(robot_story.story.dixa.offers()) == 1


def test_why_shows_the_pending_result_and_reminder(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(REMINDED)
    robot_story.answer_as_robot(survey_id)
    shown = "\n".join(describe(robot_story.story.load(survey_id), ""))
    assert "Suspect: it may be automatic." in shown
    assert "Next: submit the result; until then any other answer replaces it." in shown
    assert shown.count("Next: ") == 3
