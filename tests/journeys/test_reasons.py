"""Each way to end a survey without a result, with its reason."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.errors import OutcomeUnknown, Refused
from service.surveys.model import Record
from service.surveys.ports import Deadline
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, Journey, OfferState
from service.surveys.words import Sender
from tests.harness import AT_ONCE, CSAT, QUICK, Story
from tests.journeys.erased import asks_for_a_rewrite
from tests.polling import eventually
from tests.tasks import take_due

Then = Callable[[Sandbox, int], object]

NOT_ASKED: dict[str, tuple[dict[str, Any], Then, OfferState, Reason]] = {
    "a phone call": ({"channel": "PstnPhone"}, lambda *_: None, OfferState.SKIPPED, Reason.UNREACHABLE),
    "no agent": ({"agent": False}, lambda *_: None, OfferState.SKIPPED, Reason.UNREACHABLE),
    "reopened": ({}, lambda dixa, number: dixa.reopen(number), OfferState.CANCELLED, Reason.REOPENED),
    "erased": ({}, lambda dixa, number: dixa.erase(number), OfferState.CANCELLED, Reason.ERASED),
    "surveyed by Dixa": ({}, Sandbox.make_rating, OfferState.SKIPPED, Reason.ALREADY_SURVEYED),
    "scheduled survey of Dixa": (
        {},
        lambda dixa, number: dixa.make_rating(number, "Nps", status="Scheduled"),
        OfferState.SKIPPED,
        Reason.ALREADY_SURVEYED,
    ),
    "rated in Dixa's survey": (
        {},
        lambda dixa, number: dixa.make_rating(number, status="Rated"),
        OfferState.SKIPPED,
        Reason.ALREADY_SURVEYED,
    ),
    "deleted": (
        {},
        lambda dixa, number: dixa.state.conversations.pop(number),
        OfferState.FAILED,
        Reason.NOT_FOUND,
    ),
}


@pytest.mark.parametrize("case", NOT_ASKED)
def test_unsent_survey_has_its_reason(story: Story, case: str) -> None:
    facts, then, state, reason = NOT_ASKED[case]
    # A reopening in the millisecond of the close could be the earlier state.
    survey_id = story.begin(closed_at=datetime.now(UTC) - timedelta(milliseconds=1), **facts)
    then(story.dixa, int(survey_id))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (state, reason)
    assert story.dixa.offers() == []
    assert story.dixa.messages() == []
    assert asks_for_a_rewrite(story) is (reason is Reason.ERASED)


@pytest.mark.parametrize(("spoken", "reason"), [("da", ""), ("en", Reason.UNREACHABLE)])
def test_agent_of_the_language_can_replace_the_assignee(story: Story, spoken: str, reason: str) -> None:
    agent = story.dixa.state.agents[0].id
    record = story.ask(story.begin(replace(AT_ONCE, senders={"da": Sender(agent=agent)}), agent=False, language=spoken))
    assert record.offer.reason == reason
    assert [each.author_id for each in story.dixa.messages()] == ([] if reason else [agent])


def test_cancelled_survey_of_dixa_is_ignored(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.make_rating(int(survey_id), status="Cancelled")
    story.complete(survey_id, {CSAT: 4})
    story.assert_once(survey_id)


@pytest.mark.parametrize(("hours", "reason"), [(71, ""), (73, Reason.TOO_LATE)])
def test_offer_is_made_within_three_days_or_never(story: Story, hours: int, reason: str) -> None:
    survey_id = story.begin(closed_at=datetime.now(UTC) - timedelta(hours=hours))
    record = story.ask(survey_id)
    assert record.offer.state is (OfferState.SKIPPED if reason else OfferState.DELIVERED)
    assert record.offer.reason == reason
    assert len(story.dixa.offers()) == (0 if reason else 1)


def test_the_three_days_begin_after_the_delay(story: Story) -> None:
    terms = replace(AT_ONCE, delay=timedelta(hours=10))
    survey_id = story.begin(terms, closed_at=datetime.now(UTC) - timedelta(hours=80))
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize(("days", "state"), [(29, AnswerState.SUBMITTED), (31, AnswerState.FAILED)])
def test_result_is_retried_for_thirty_days(story: Story, days: int, state: AnswerState) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 1}, "Still waiting", answered_at=datetime.now(UTC) - timedelta(days=days))
    record = story.submit(survey_id)
    assert record.answer is not None
    assert record.answer.state is state
    if state is AnswerState.FAILED:
        assert record.answer.reason == Reason.TOO_LATE
        assert record.answered.comment == "Still waiting"
        assert story.dixa.results() == []


def test_offer_with_lost_response_is_adopted(story: Story) -> None:
    story.dixa.executes_then_drops(1, call="offer")
    survey_id = story.begin()
    record = story.ask(survey_id)
    assert [offer.rating_id for offer in record.offers] == [offer.id for offer in story.dixa.offers()]
    assert len(story.dixa.offers()) == 1


def test_older_offer_of_the_same_type_is_not_adopted(story: Story) -> None:
    """Another offer was cancelled before. Ours was lost before it reached Dixa."""
    survey_id = story.begin()
    older = story.dixa.make_rating(int(survey_id), status="Cancelled")
    story.dixa.drops_before(1, call="offer")
    record = story.ask(survey_id)
    assert record.offers[0].rating_id != older
    assert len(story.dixa.offers()) == 1


def test_new_offer_of_another_type_is_not_adopted(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.drops_before(1, call="offer")
    story.after("offer", lambda: story.dixa.make_rating(int(survey_id), "Nps"))
    record = story.ask(survey_id)
    assert (record.offers, record.offer.reason) == ((), Reason.ALREADY_SURVEYED)


def test_call_listed_late_but_before_the_check_is_not_repeated(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    dixa.state.listing_lag = 0.3
    story = Story(redis_client, prefix, dixa, timings=replace(QUICK, reconcile_after=timedelta(seconds=1.5)))
    dixa.executes_then_drops(1, call="offer")
    dixa.executes_then_drops(1, call="submit")
    survey_id = story.begin()
    story.complete(survey_id, {CSAT: 4})
    story.assert_once(survey_id)


def test_conversation_reopened_after_a_failed_offer_gets_no_survey(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, 503, call="offer")
    story.after("offer", lambda: story.dixa.reopen(int(survey_id)))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.REOPENED)
    assert story.dixa.offers() == []


class FailingChannel:
    """A channel with only failed deliveries."""

    name = "message"
    sends_reminders = True

    def __init__(self, error: Exception, then: Callable[[], object] = lambda: None) -> None:
        self._error = error
        self._then = then

    def can_reach(self, record: Record) -> bool:
        return True

    def reconcile(self, record: Record, deadline: Deadline) -> None:
        return None

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        self._then()
        raise self._error


def test_removed_channel_fails_the_survey(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    before = Story(redis_client, prefix, dixa, deliveries=[FailingChannel(OutcomeUnknown("lost"))])
    survey_id = before.begin()
    before.offering.run(survey_id)
    assert before.load(survey_id).offer.state is OfferState.DELIVERING
    after = Story(redis_client, prefix, dixa, deliveries=[])
    record = after.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.UNREACHABLE)


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), Refused("no", 400)], ids=["lost", "refused"])
def test_answer_during_the_delivery_ends_the_delivery(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, error: Exception
) -> None:
    """The customer has the link, despite the channel's error."""
    channel = FailingChannel(error, lambda: story.answer(survey_id, {CSAT: 5}))
    story = Story(redis_client, prefix, dixa, deliveries=[channel])
    survey_id = story.begin()
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.DELIVERED
    story.submit(survey_id)
    assert len(dixa.results()) == 1


def test_unknown_message_backs_off(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    """A channel broken for a day must not use up the rate limit."""
    timings = replace(QUICK, reconcile_after=timedelta(milliseconds=1), backoff_min=timedelta(hours=1))
    timings = replace(timings, backoff_max=timedelta(days=1))
    story = Story(redis_client, prefix, dixa, deliveries=[FailingChannel(OutcomeUnknown("lost"))], timings=timings)
    survey_id = story.begin()
    story.offering.run(survey_id)
    due_at = story.load(survey_id).offer.due_at
    assert due_at is not None
    assert due_at > datetime.now(UTC) + timedelta(milliseconds=100)


def test_journey_not_due_is_not_claimed(story: Story) -> None:
    survey_id = story.begin(replace(AT_ONCE, delay=timedelta(hours=1)))
    story.offering.run(survey_id)
    story.answering.run(survey_id)
    story.offering.run("1")
    assert story.load(survey_id).offer.state is OfferState.WAITING
    assert story.dixa.calls == []


def test_survey_keeps_the_terms_of_its_close(story: Story) -> None:
    """A change of surveys.toml affects only later closes."""
    terms = Survey(name="shop", delay=timedelta(), editable_for=timedelta(hours=1))
    survey_id = story.begin(terms)
    assert story.ask(survey_id).terms == terms
    story.answer(survey_id, {CSAT: 4})
    assert take_due(story.records, Journey.ANSWER, 10, timedelta()) == []
    eventually(lambda: story.load(survey_id).answer)
