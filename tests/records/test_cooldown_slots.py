"""The holder and the expiry of a customer's cooldown slots."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Claim, Decision
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from tests.harness import AT_ONCE, CSAT
from tests.records.steps import DAY, close_of, is_about


def ask(records: Records, number: int, terms: Survey = AT_ONCE, **given: Any) -> Claim:
    """Decide to ask the customer, and return the claim."""
    records.accept(close_of(number), [terms])
    found = records.claim(Journey.OFFER, str(number))
    assert found is not None
    given = {"cooldown_retention": 30 * DAY} | given
    assert records.decide(found, Decision(Verdict.ASK), person=["hash"], **given) == (Verdict.ASK, "")
    return found


def deliver(records: Records, claim: Claim) -> None:
    records.begin_call(claim, CSAT, [], timedelta())
    records.offered(claim, CSAT, f"rating-{claim.record.survey_id}")
    records.begin_delivery(claim, "message")
    records.delivered(claim)


def holder(redis_client: redis.Redis, prefix: str) -> str:
    return str(redis_client.get(f"{prefix}asked:hash")).rpartition(" ")[2]


def time_left(redis_client: redis.Redis, key: str) -> timedelta:
    return timedelta(milliseconds=int(redis_client.pttl(key)))


def test_a_released_slot_keeps_its_earlier_expiry(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    often = replace(AT_ONCE, cooldown=timedelta())
    deliver(records, ask(records, 1))
    second = ask(records, 2, often)
    assert holder(redis_client, prefix) == "2"
    records.fail(second, Reason.REFUSED)
    assert holder(redis_client, prefix) == "1"
    assert is_about(time_left(redis_client, f"{prefix}asked:hash"), 30 * DAY)


def test_a_slot_of_another_survey_is_not_released(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    often = replace(AT_ONCE, cooldown=timedelta())
    first = ask(records, 1, often)
    ask(records, 2, often)
    records.fail(first, Reason.REFUSED)
    assert holder(redis_client, prefix) == "2"


def test_an_erased_delivered_survey_keeps_its_slot(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    deliver(records, ask(records, 1, replace(AT_ONCE, reminder=DAY)))
    record = records.load("1")
    assert record is not None
    records.erase(record)
    assert holder(redis_client, prefix) == "1"


def test_a_slot_names_no_earlier_survey_without_the_card(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    often = replace(AT_ONCE, cooldown=timedelta())
    ask(records, 1, often)
    ask(records, 2, often)
    assert str(redis_client.get(f"{prefix}asked:hash")).split()[1:] == ["2"]


def test_a_released_slot_has_its_earlier_surveys_again(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    often = replace(AT_ONCE, cooldown=timedelta())
    for number in (1, 2):
        deliver(records, ask(records, number, often, max_earlier=2))
    records.fail(ask(records, 3, often, max_earlier=2), Reason.REFUSED)
    assert str(redis_client.get(f"{prefix}asked:hash")).split()[1:] == ["2", "1"]
    for number in (4, 5):
        ask(records, number, often, max_earlier=2)
    assert str(redis_client.get(f"{prefix}asked:hash")).split()[1:] == ["5", "4", "2"]


def test_the_holder_of_a_slot_with_earlier_surveys_is_the_last_one(records: Records) -> None:
    often = replace(AT_ONCE, cooldown=timedelta())
    ask(records, 1, often, max_earlier=2)
    ask(records, 2, often, max_earlier=2)
    records.accept(close_of(3), [AT_ONCE])
    found = records.claim(Journey.OFFER, "3")
    assert found
    assert records.decide(found, Decision(Verdict.ASK), person=["hash"])[1] == Reason.ASKED_RECENTLY
    record = records.load("3")
    assert record
    assert record.cooldown_survey == "2"


def test_the_count_of_a_day_is_kept_for_two_days(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    ask(records, 1, replace(AT_ONCE, daily_cap=9))
    assert is_about(time_left(redis_client, f"{prefix}asks:{datetime.now(UTC).date()}:default"), 2 * DAY)


def test_a_survey_is_not_blocked_by_its_own_slot(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """The record may be lost, and the conversation reclosed."""
    ask(records, 1)
    redis_client.delete(f"{prefix}survey:1", f"{prefix}due:offer")
    ask(records, 1)
    assert holder(redis_client, prefix) == "1"


def test_a_survey_without_a_daily_cap_is_not_counted(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    ask(records, 1)
    assert [*redis_client.scan_iter(f"{prefix}asks:*")] == []


def test_the_chosen_survey_is_counted(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    second = replace(AT_ONCE, name="second", daily_cap=9)
    records.accept(close_of(1), [AT_ONCE, second])
    found = records.claim(Journey.OFFER, "1")
    assert found
    records.decide(found, Decision(Verdict.ASK, survey=second))
    assert [*redis_client.scan_iter(f"{prefix}asks:*")] == [f"{prefix}asks:{found.at.date()}:second"]


def test_a_slot_is_taken_even_without_a_cooldown(records: Records) -> None:
    """Redis refuses an expiry of 0."""
    ask(records, 1, replace(AT_ONCE, cooldown=timedelta()), cooldown_retention=timedelta())
