"""The expiry of an erased record, and the decision counted for its survey."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.records import Records
from service.surveys.reasons import Reason
from tests.harness import AT_ONCE
from tests.records.steps import DAY, SURVEY_ID, close_of, is_about, load, offer


def test_an_erased_record_expires_after_ninety_days(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    key = f"{prefix}survey:{SURVEY_ID}"
    records.accept(close_of(), [AT_ONCE])
    offer(records)
    redis_client.hset(key, "offer_ended_at", "1000")
    redis_client.persist(key)
    records.erase(load(records))
    assert is_about(timedelta(seconds=redis_client.ttl(key)), 90 * DAY)
    assert redis_client.hget(key, "offer_ended_at") == "1000"


@pytest.mark.parametrize(("has_link", "counted"), [(False, {Reason.ERASED: 1}), (True, {"asked": 1})])
def test_an_erased_survey_counts_as_asked_only_after_its_delivery(
    records: Records, counted: dict[str, int], *, has_link: bool
) -> None:
    records.accept(close_of(), [replace(AT_ONCE, reminder=DAY)])
    if has_link:
        offer(records)
    records.erase(load(records))
    assert records.count_decisions(datetime.now(UTC).date()) == counted
