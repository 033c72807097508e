"""Counts of surveys."""

from datetime import date

import pytest
import redis

from service.records import queries
from service.records.records import Records
from tests.harness import AT_ONCE
from tests.records.steps import close_of


def test_undelivered_surveys_are_counted(
    records: Records, redis_client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_BATCH", 2)
    for number in range(1, 7):
        records.accept(close_of(number), [AT_ONCE])
    redis_client.hset(f"{prefix}survey:2", "offer_state", "reminding")
    redis_client.delete(f"{prefix}survey:5")
    assert records.count_waiting() == 4


def test_all_rounds_of_a_conversation_are_listed(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    assert records.list_rounds(48213) == ["48213"]
    redis_client.set(f"{prefix}rounds:48213", 4)
    assert records.list_rounds(48213) == ["48213-4", "48213-3", "48213-2", "48213"]


def test_a_reason_with_a_count_of_zero_is_omitted(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    day = date(2026, 5, 12)
    redis_client.hset(f"{prefix}decisions:{day}", mapping={"asked": 2, "reopened": 0, "channel": 1})
    assert records.count_decisions(day) == {"asked": 2, "channel": 1}
