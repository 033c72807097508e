"""A close that was looked up in Dixa, and its webhook, make one record, whichever comes first."""

from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from service.records.queries import KnownClose
from service.records.records import Records
from service.surveys.definition import OnReclose
from service.surveys.model import Close
from service.surveys.reasons import Reason
from service.surveys.states import FoundBy, OfferState
from tests.harness import AT_ONCE
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, close_of, load, offer

SECOND = timedelta(seconds=1)
ALWAYS = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS)


def webhook(ago: timedelta, event_id: str = "event-1") -> Close:
    return replace(close_of(ago=ago), event_id=event_id)


def looked_up(ago: timedelta, found_by: FoundBy = FoundBy.SEARCH) -> Close:
    return replace(close_of(ago=ago), found_by=found_by)


@pytest.mark.parametrize("apart", [timedelta(), SECOND, 119 * SECOND])
@pytest.mark.parametrize("is_late", [False, True], ids=["webhook first", "webhook late"])
@pytest.mark.parametrize("is_over", [False, True], ids=["waiting", "delivered"])
def test_the_webhook_of_a_looked_up_close_is_a_duplicate(
    records: Records, apart: timedelta, *, is_late: bool, is_over: bool
) -> None:
    first, second = (looked_up, webhook) if is_late else (webhook, looked_up)
    records.accept(first(10 * MINUTE), [ALWAYS])
    if is_over:
        offer(records)
    before = load(records)
    assert records.accept(second(10 * MINUTE - apart), [ALWAYS]) == ("duplicate", SURVEY_ID)
    assert load(records).close == before.close
    assert load(records).offer.state is (OfferState.DELIVERED if is_over else OfferState.WAITING)


def test_a_looked_up_close_of_minutes_later_is_another_one(records: Records) -> None:
    records.accept(webhook(10 * MINUTE), [ALWAYS])
    offer(records)
    assert records.accept(looked_up(8 * MINUTE - SECOND), [ALWAYS]) == ("accepted", f"{SURVEY_ID}-2")


def test_events_with_ids_are_compared_by_them_alone(records: Records) -> None:
    records.accept(webhook(10 * MINUTE), [ALWAYS])
    offer(records)
    logged = replace(webhook(10 * MINUTE - SECOND), found_by=FoundBy.DELIVERY_LOG)
    assert records.accept(logged, [ALWAYS]) == ("duplicate", SURVEY_ID)
    assert records.accept(replace(logged, event_id="event-2"), [ALWAYS]) == ("accepted", f"{SURVEY_ID}-2")


@pytest.mark.parametrize("reason", [Reason.TAG_EXCLUDED, Reason.MACHINE])
def test_an_operator_may_begin_a_round_after_a_skipped_one(records: Records, reason: Reason) -> None:
    records.accept(webhook(10 * MINUTE), [], reason)
    assert records.accept(looked_up(10 * MINUTE), [AT_ONCE])[0] == "duplicate"
    by_operator = looked_up(10 * MINUTE, FoundBy.OPERATOR)
    assert records.accept(by_operator, [AT_ONCE]) == ("accepted", f"{SURVEY_ID}-2")
    assert records.accept(by_operator, [AT_ONCE]) == ("accepted", f"{SURVEY_ID}-2"), "it waits, and begins again"
    assert records.accept(webhook(10 * MINUTE), [AT_ONCE]) == ("duplicate", f"{SURVEY_ID}-2")


def test_an_operator_replaces_the_terms_of_a_waiting_survey(records: Records) -> None:
    records.accept(webhook(MINUTE), [replace(AT_ONCE, delay=DAY)])
    assert records.accept(looked_up(MINUTE, FoundBy.OPERATOR), [AT_ONCE]) == ("accepted", SURVEY_ID)
    found = load(records)
    assert (found.terms, found.offer.state) == (AT_ONCE, OfferState.WAITING)
    assert records.count_decisions(found.accepted_at.date()) == {}


@pytest.mark.parametrize("end", ["asked", "answered", "erased"])
def test_an_operator_begins_nothing_after_an_offer_an_answer_or_an_erasure(records: Records, end: str) -> None:
    records.accept(webhook(10 * MINUTE), [AT_ONCE])
    if end == "erased":
        records.erase(load(records))
    elif end == "answered":
        answer(records)
    else:
        offer(records)
    assert records.accept(looked_up(10 * MINUTE, FoundBy.OPERATOR), [ALWAYS]) == ("duplicate", SURVEY_ID)


def test_an_operator_begins_nothing_beside_an_offer_in_dixa(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(webhook(10 * MINUTE), [], Reason.CHANNEL)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "rating_id:Csat", "id-1")
    assert records.accept(looked_up(10 * MINUTE, FoundBy.OPERATOR), [ALWAYS]) == ("duplicate", SURVEY_ID)


def test_an_erased_record_still_shows_how_it_was_found(records: Records) -> None:
    records.accept(looked_up(MINUTE), [AT_ONCE])
    records.erase(load(records))
    close = load(records).close
    assert close
    assert close.found_by is FoundBy.SEARCH


def test_known_closes_are_those_of_the_latest_round(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    earlier, later = webhook(10 * MINUTE), webhook(MINUTE, "event-2")
    records.accept(earlier, [ALWAYS])
    assert records.known_closes([7, 48213]) == {48213: KnownClose(earlier.closed_at, "event-1")}
    offer(records)
    assert records.accept(later, [ALWAYS])[1] == f"{SURVEY_ID}-2"
    assert records.known_closes([48213]) == {48213: KnownClose(later.closed_at, "event-2")}
    redis_client.delete(f"{prefix}survey:{SURVEY_ID}-2")
    assert records.known_closes([48213]) == {}
    assert records.known_closes([]) == {}


def test_a_later_close_without_a_round_is_known(records: Records) -> None:
    records.accept(webhook(10 * MINUTE), [AT_ONCE])
    offer(records)
    later = webhook(MINUTE, "event-2")
    assert records.accept(later, [AT_ONCE])[0] == "duplicate"
    assert records.known_closes([48213]) == {48213: KnownClose(later.closed_at, "event-1")}


def test_a_record_made_from_a_link_is_known_without_a_time(records: Records) -> None:
    answer(records)
    assert records.known_closes([48213]) == {48213: KnownClose(None)}
