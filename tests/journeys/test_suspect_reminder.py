"""A suspect answer cancels the reminder only when it is final."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.rules.timeline import describe
from service.surveys.definition import Survey
from service.surveys.states import OfferState
from tests.journeys.scene import HOUR, MINUTE, NOW, TERMS, Scene

REMINDED = replace(TERMS, reminder=12 * HOUR)


def reminders(scene: Scene, survey_id: str) -> int:
    found = scene.story.dixa.messages(int(survey_id))
    return sum((each.external_id or "").endswith("-reminder") for each in found)


def test_suspect_answer_does_not_cancel_the_reminder(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.answer_as_robot(survey_id)
    assert scene.story.load(survey_id).offer.state is OfferState.REMINDING
    scene.write_times(survey_id, offer_due=NOW)
    assert scene.story.ask(survey_id).offer.note == ""
    assert reminders(scene, survey_id) == 1
    assert scene.answer_as_customer(survey_id) == "saved"


def test_answer_after_a_suspect_answer_cancels_the_reminder(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.answer_as_robot(survey_id)
    scene.answer_as_customer(survey_id)
    record = scene.story.load(survey_id)
    assert (record.offer.state, record.offer.due_at) == (OfferState.DELIVERED, None)
    scene.story.offering.run(survey_id)
    assert reminders(scene, survey_id) == 0


def test_final_suspect_answer_cancels_the_reminder(scene: Scene) -> None:
    """The customer can't change the answer any more."""
    survey_id = scene.ask(REMINDED)
    scene.answer_as_robot(survey_id)
    scene.end_editable_time(survey_id)
    scene.story.submit(survey_id)
    scene.write_times(survey_id, offer_due=NOW)
    assert scene.story.ask(survey_id).offer.note == "no reminder: answered"
    assert reminders(scene, survey_id) == 0


def test_answer_final_during_a_claim_cancels_the_reminder(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.answer_as_robot(survey_id)
    scene.end_editable_time(survey_id)
    scene.write_times(survey_id, offer_due=NOW)
    scene.story.after("conversation", lambda: scene.story.submit(survey_id))
    scene.story.offering.run(survey_id)
    assert reminders(scene, survey_id) == 0


@pytest.mark.parametrize("terms", [REMINDED, TERMS])
def test_suspect_answer_before_delivered_keeps_the_reminder(scene: Scene, terms: Survey) -> None:
    """The worker hasn't recorded the delivery yet."""
    survey_id = scene.story.begin(terms)
    scene.story.after("message", lambda: scene.answer_as_robot(survey_id))
    scene.story.run_until(scene.story.offering, survey_id, lambda record: record.answer is not None)
    record = scene.story.load(survey_id)
    assert record.offer.state is (OfferState.REMINDING if terms.reminder else OfferState.DELIVERED)
    assert record.offer.delivered_at
    if record.offer.due_at:
        assert abs(record.offer.due_at - datetime.now(UTC) - 12 * HOUR) < MINUTE
        scene.write_times(survey_id, offer_due=NOW)
        scene.story.ask(survey_id)
    assert reminders(scene, survey_id) == bool(terms.reminder)
    assert len(scene.story.dixa.offers()) == 1


def test_why_shows_the_pending_result_and_reminder(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.answer_as_robot(survey_id)
    shown = "\n".join(describe(scene.story.load(survey_id), ""))
    assert "Suspect: it may be automatic." in shown
    assert "Next: submit the result; until then any other answer replaces it." in shown
    assert shown.count("Next: ") == 3
