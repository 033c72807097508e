"""Helpers for a sent survey with an anonymised conversation."""

import json
from datetime import timedelta

from service.journeys.runner import JourneyRunner
from service.sandbox.dixa.model import Person
from service.surveys.definition import Survey
from service.surveys.model import Record
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE, CSAT, Story
from tests.tasks import take_due

SECRET = "My card is 4711"
CUSTOMER = Person("Ida Holm", "ida@example.com", "+4512345678")


def send_survey(story: Story, terms: Survey = AT_ONCE) -> str:
    """Send a survey and return its id."""
    survey_id = story.begin(terms, requester=CUSTOMER)
    story.run_until(story.offering, survey_id, lambda record: record.offer.state in ("delivered", "reminding"))
    story.dixa.state.exchanges.clear()
    return survey_id


def calls(story: Story) -> list[str]:
    return [each.call for each in story.dixa.calls]


def fields(story: Story, survey_id: str) -> dict[str, str]:
    found: dict[str, str] = story.records._redis.hgetall(story.records._key(survey_id))  # type: ignore[assignment]
    return found


def write_fields(story: Story, survey_id: str, **values: str) -> None:
    story.records._redis.hset(story.records._key(survey_id), mapping=values)  # type: ignore[arg-type]


def run_until_erased(story: Story, runner: JourneyRunner, survey_id: str) -> Record:
    return story.run_until(runner, survey_id, lambda record: record.offer.reason == Reason.ERASED)


def assert_erased(story: Story, survey_id: str) -> None:
    """Assert ended journeys, a closed link, and no data on the customer."""
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.ERASED)
    for progress in (record.answer, record.follow_up):
        assert progress is None or progress.reason == Reason.ERASED
    assert story.records._redis.ttl(story.records._key(survey_id)) > 0
    for journey in Journey:
        assert take_due(story.records, journey, 10, timedelta(minutes=1)) == []
        assert story.records.retry(journey, survey_id) != "retried"
    kept = json.dumps({name: value for name, value in fields(story, survey_id).items() if name != "terms"})
    person = story.dixa.conversation(int(survey_id)).requester.id
    for secret in (SECRET, "ida", person, "score", "comment", "person", "language", "sent_scores", "action", "hash-"):
        assert secret not in kept, secret
    assert story.answer(survey_id, {CSAT: 3}) == "closed"


def asks_for_a_rewrite(story: Story) -> bool:
    """Return whether the relay will rewrite Redis's append-only file, which still has the erased data."""
    return bool(story.records._redis.exists(f"{story.records._prefix}erased"))
