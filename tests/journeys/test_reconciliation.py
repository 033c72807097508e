"""Between decision and delivery: nothing waits forever, and no outdated link is sent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.records.codec import to_ms
from service.sandbox.dixa.model import Message
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import UNCONFIRMED
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, Journey, OfferState
from tests.harness import AT_ONCE, CSAT, NPS, Story
from tests.journeys.erased import asks_for_a_rewrite
from tests.polling import eventually

LONG_AGO = datetime.now(UTC) - timedelta(days=30)
BOTH = replace(AT_ONCE, ratings=(RatingType.CSAT, RatingType.NPS))


def write(story: Story, survey_id: str, **facts: Any) -> None:
    for name, value in facts.items():
        story.records._redis.hset(story.records._key(survey_id), name, value)


def offered(story: Story, terms: Survey = AT_ONCE) -> str:
    """Return a survey with an offer but no delivery, as after a crash of its worker."""
    survey_id = story.begin(terms)
    story.ask(survey_id)
    story.records._redis.hdel(story.records._key(survey_id), "channel", "delivered_at")
    write(story, survey_id, offer_state="offered", offer_due=str(to_ms(datetime.now(UTC))))
    return survey_id


def delivering(story: Story, terms: Survey = AT_ONCE) -> str:
    """Return a survey with a delivery to retry after a certain failure."""
    survey_id = story.begin(terms)
    story.dixa.fails(1, 503, call="message")
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.DELIVERING
    return survey_id


def deliver(story: Story, survey_id: str) -> None:
    def step() -> bool:
        story.offering.run(survey_id)
        return story.load(survey_id).offer.delivered_at is not None

    eventually(step)


def test_late_survey_ends_without_a_call(story: Story) -> None:
    survey_id = story.begin(closed_at=LONG_AGO)
    story.dixa.fails(1000, 500, call="conversation")
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.TOO_LATE)
    assert not story.dixa.calls


def test_second_offer_is_not_retried_forever(story: Story) -> None:
    survey_id = story.begin(BOTH, closed_at=LONG_AGO)
    write(story, survey_id, offer_state="offering", **{f"rating_id:{CSAT}": "id-1"})
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.TOO_LATE)
    assert not story.dixa.offers()


@pytest.mark.parametrize("begin", [offered, delivering])
@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda story, survey_id: story.dixa.reopen(int(survey_id)), Reason.REOPENED),
        (lambda story, survey_id: story.dixa.erase(int(survey_id)), Reason.ERASED),
        (
            lambda story, survey_id: story.opt_outs.add(story.dixa.conversation(int(survey_id)).requester.id),
            Reason.OPTED_OUT,
        ),
        (lambda story, survey_id: write(story, survey_id, accepted_at=str(to_ms(LONG_AGO))), Reason.TOO_LATE),
    ],
    ids=["reopened", "erased", "opted out", "too late"],
)
def test_change_before_the_delivery_ends_the_survey(
    story: Story, happens: Callable[[Story, str], object], reason: Reason, begin: Callable[[Story], str]
) -> None:
    survey_id = begin(story)
    happens(story, survey_id)
    record = story.ask(survey_id)
    is_erased = reason is Reason.ERASED
    assert record.offer.state is (OfferState.CANCELLED if is_erased else OfferState.FAILED)
    assert record.offer.reason == reason
    assert [each.call for each in story.dixa.calls].count("message") == 1
    # Only a rewrite removes the customer's data from Redis's append-only file.
    assert asks_for_a_rewrite(story) is is_erased


def test_arrived_message_counts_despite_a_reopened_conversation(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.executes_then_drops(1, call="message")
    story.offering.run(survey_id)
    story.dixa.reopen(int(survey_id))
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED
    assert len(story.dixa.messages(int(survey_id))) == 1


def test_possible_delivery_without_a_check_in_time_counts_as_delivered(story: Story) -> None:
    survey_id = delivering(story)
    write(story, survey_id, accepted_at=str(to_ms(LONG_AGO)))
    story.dixa.fails(1, 503, call="messages")
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, UNCONFIRMED)


def test_retry_by_an_operator_restarts_the_deadline(story: Story) -> None:
    survey_id = delivering(story)
    write(story, survey_id, accepted_at=str(to_ms(LONG_AGO)))
    assert story.ask(survey_id).offer.reason == Reason.TOO_LATE
    assert story.records.retry(Journey.OFFER, survey_id) == "retried"
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_failed_offer_with_an_answer_is_not_retried(story: Story) -> None:
    """A customer with an answer has received the link."""
    survey_id = offered(story)
    story.dixa.reopen(int(survey_id))
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    story.answer(survey_id, {CSAT: 4})
    assert story.records.retry(Journey.OFFER, survey_id) == "not_failed"


def test_foreign_offer_is_not_adopted_after_a_certain_failure(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.throttles(1, retry_after=1, call="offer")
    story.offering.run(survey_id)
    story.dixa.make_rating(int(survey_id), status="Scheduled")
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.ALREADY_SURVEYED)
    assert story.dixa.messages(int(survey_id)) == []


def test_unchanged_offered_survey_is_delivered(story: Story) -> None:
    assert story.ask(offered(story)).offer.state is OfferState.DELIVERED


def test_reminder_failing_for_weeks_is_dropped(story: Story) -> None:
    survey_id = story.begin(replace(AT_ONCE, reminder=timedelta(minutes=30)))
    deliver(story, survey_id)
    now = str(to_ms(datetime.now(UTC)))
    write(story, survey_id, delivered_at=str(to_ms(LONG_AGO)), offer_due=now, offer_tries="99")
    assert "too late" in story.ask(survey_id).offer.note


@pytest.mark.parametrize("editable_for", [timedelta(), timedelta(hours=1)])
def test_answer_to_the_earlier_round_skips_the_new_round(story: Story, editable_for: timedelta) -> None:
    terms = replace(AT_ONCE, on_reclose=OnReclose.UNANSWERED, cooldown=timedelta(), editable_for=editable_for)
    number = story.dixa.make_conversation()
    first = story.close(number, terms)
    story.ask(first)
    story.dixa.reopen(number)
    second = story.close(number, terms)
    assert second == f"{number}-2"
    write(story, second, delivered_before="0")
    conversation = story.dixa.conversation(number)
    conversation.messages.append(Message(conversation.requester.id, "Thank you, but …", "Inbound"))
    story.answer(first, {CSAT: 4})
    if not editable_for:
        story.submit(first)
    record = story.ask(second)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.CLOSED_AGAIN)
    assert len(story.dixa.offers(number)) == 1


def test_record_with_a_cancelled_reminder_outlives_its_link(story: Story) -> None:
    terms = replace(AT_ONCE, reminder=timedelta(minutes=30), expires=timedelta(days=300))
    survey_id = story.begin(terms)
    deliver(story, survey_id)
    assert story.take_change(survey_id, ChangeKind.RATED)
    assert story.records._redis.ttl(story.records._key(survey_id)) > timedelta(days=300).total_seconds()


def test_answer_before_delivered_sets_delivered_at(story: Story) -> None:
    survey_id = story.begin(BOTH)
    write(story, survey_id, offer_state="delivering", **{f"rating_id:{each}": f"id-{each}" for each in (CSAT, NPS)})
    story.answer(survey_id, {CSAT: 4})
    assert story.load(survey_id).offer.delivered_at is not None


def test_survey_failed_before_its_delivery_can_be_retried(story: Story) -> None:
    survey_id = offered(story)
    story.dixa.reopen(int(survey_id))
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    story.dixa.close(int(survey_id))
    assert story.records.retry(Journey.OFFER, survey_id) == "retried"
    assert story.load(survey_id).offer.state is OfferState.OFFERED
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_survey_after_a_restore_is_offered_and_sent_in_one_claim(story: Story) -> None:
    survey_id = story.begin()
    story.records.mark_restored()
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.DELIVERED


def test_offer_executed_late_is_adopted_and_sent_in_one_claim(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.drops_before(1, call="offer")
    story.offering.run(survey_id)
    story.run_until(story.offering, survey_id, lambda record: record.offer.call is None)
    story.dixa.make_rating(int(survey_id))
    record = story.run_until(story.offering, survey_id, lambda record: bool(record.offers))
    assert record.offer.state is OfferState.DELIVERED


@pytest.mark.parametrize("lost", [(), ("offer_before",)], ids=["during the call", "before the call"])
def test_restored_record_adopts_its_offer_and_checks_before_the_delivery(story: Story, lost: tuple[str]) -> None:
    """Redis was restored from a backup made during the offer. The link was delivered after the backup."""
    survey_id = story.begin()
    key, redis_client = story.records._key(survey_id), story.records._redis
    backup: dict[str, Any] = {}
    story.after("offer", lambda: backup.update(redis_client.hgetall(key)))  # type: ignore[arg-type]
    story.ask(survey_id)
    for name in ("offer_lease", "offer_call", "offer_sent_at", "offer_seen", *lost):
        backup.pop(name, None)
    redis_client.delete(key)
    redis_client.hset(key, mapping=backup | {"offer_due": 0})  # type: ignore[arg-type]
    story.records.mark_restored()
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.OFFERED
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED
    assert (len(story.dixa.offers(int(survey_id))), len(story.dixa.messages(int(survey_id)))) == (1, 1)
    story.assert_no_doubles()
