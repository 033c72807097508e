"""A suspect answer isn't the customer's, so the reminder is sent until it is final."""

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


def test_who_has_only_a_suspect_answer_is_reminded(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.robot(survey_id)
    assert scene.story.load(survey_id).offer.state is OfferState.REMINDING
    scene.put(survey_id, offer_due=NOW)
    assert scene.story.ask(survey_id).offer.note == ""
    assert reminders(scene, survey_id) == 1
    assert scene.customer(survey_id) == "saved"


def test_who_answers_after_it_is_not(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.robot(survey_id)
    scene.customer(survey_id)
    record = scene.story.load(survey_id)
    assert (record.offer.state, record.offer.due_at) == (OfferState.DELIVERED, None)
    scene.story.offering.run(survey_id)
    assert reminders(scene, survey_id) == 0


def test_nobody_is_once_it_is_final(scene: Scene) -> None:
    """The customer could change nothing any more."""
    survey_id = scene.ask(REMINDED)
    scene.robot(survey_id)
    scene.wait_is_over(survey_id)
    scene.story.submit(survey_id)
    scene.put(survey_id, offer_due=NOW)
    assert scene.story.ask(survey_id).offer.note == "no reminder: answered"
    assert reminders(scene, survey_id) == 0


def test_nobody_is_if_it_becomes_final_meanwhile(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.robot(survey_id)
    scene.wait_is_over(survey_id)
    scene.put(survey_id, offer_due=NOW)
    scene.story.after("conversation", lambda: scene.story.submit(survey_id))
    scene.story.offering.run(survey_id)
    assert reminders(scene, survey_id) == 0


@pytest.mark.parametrize("terms", [REMINDED, TERMS])
def test_suspect_answer_before_delivered_keeps_the_reminder(scene: Scene, terms: Survey) -> None:
    """The worker hasn't recorded the delivery yet."""
    survey_id = scene.story.begin(terms)
    scene.story.after("message", lambda: scene.robot(survey_id))
    scene.story.run_until(scene.story.offering, survey_id, lambda record: record.answer is not None)
    record = scene.story.load(survey_id)
    assert record.offer.state is (OfferState.REMINDING if terms.reminder else OfferState.DELIVERED)
    assert record.offer.delivered_at
    if record.offer.due_at:
        assert abs(record.offer.due_at - datetime.now(UTC) - 12 * HOUR) < MINUTE
        scene.put(survey_id, offer_due=NOW)
        scene.story.ask(survey_id)
    assert reminders(scene, survey_id) == bool(terms.reminder)
    assert len(scene.story.dixa.offers()) == 1


def test_why_tells_both(scene: Scene) -> None:
    survey_id = scene.ask(REMINDED)
    scene.robot(survey_id)
    told = "\n".join(describe(scene.story.load(survey_id), ""))
    assert "Suspect: it may be automatic." in told
    assert "Next: submit the result; until then any other answer replaces it." in told
    assert told.count("Next: ") == 3
