"""A result is submitted unless Dixa has it. Tries count from the end of the longest editable time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.journeys.answer import latest_final_at
from service.surveys.definition import Survey
from service.surveys.model import Answer, AnswerProgress, OfferProgress, Record
from service.surveys.states import AnswerState, OfferState
from tests.harness import CSAT, NPS, Story

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("status", ["Cancelled", "Offered", "Scheduled", "Unscheduled"])
def test_result_is_submitted_unless_its_offer_is_rated(story: Story, status: str) -> None:
    """A record from a backup queries the ratings before the submit. Ratings of another system don't count."""
    survey_id = story.begin()
    story.ask(survey_id)
    story.records.mark_restored()
    story.answer(survey_id, {CSAT: 4})
    (offer,) = story.dixa.offers(int(survey_id))
    offer.status = status
    for rating in (CSAT, NPS):
        story.dixa.make_rating(int(survey_id), rating, status="Rated")
    story.submit(survey_id)
    assert [each.call for each in story.dixa.calls][-2:] == ["ratings", "submit"]


@pytest.mark.parametrize(
    ("terms", "is_suspect", "hours"),
    [
        (Survey(editable_for=2 * HOUR), False, 2),
        (Survey(editable_for=HOUR / 2), False, 1),
        (Survey(suspect_editable_for=3 * HOUR), True, 3),
        (None, False, 1),
        (None, True, 24),
    ],
)
def test_answer_is_final_after_its_longest_editable_time(terms: Survey | None, hours: int, *, is_suspect: bool) -> None:
    record = Record("1", 1, NOW, None, terms, OfferProgress(OfferState.DELIVERED))
    progress = AnswerProgress(AnswerState.EDITABLE, Answer({CSAT: 4}, "", "en", NOW))
    assert latest_final_at(record, replace(progress, is_suspect=is_suspect)) == NOW + hours * HOUR
