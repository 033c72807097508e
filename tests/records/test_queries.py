"""Counts of surveys."""

from dataclasses import replace
from datetime import date

import pytest
import redis

from service.records.records import Records
from service.surveys.model import Change
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, OfferState
from tests.harness import AT_ONCE
from tests.moments import moment, pass_time
from tests.records.steps import DAY, SURVEY_ID, answer, claim, close_of, load, offer


def test_surveys_without_a_link_are_counted(records: Records) -> None:
    for number in (1, 2, 3):
        records.accept(close_of(number), [AT_ONCE])
    assert records.count_waiting() == 3


@pytest.mark.parametrize("end", ["reminded", "answered", "erased", "rated"])
def test_a_survey_that_waits_for_its_reminder_is_not_counted(
    records: Records, redis_client: redis.Redis, prefix: str, end: str
) -> None:
    survey = replace(AT_ONCE, reminder=DAY)
    records.accept(close_of(1), [survey])
    records.accept(close_of(), [survey])
    offer(records)
    assert records.count_waiting() == 1
    assert redis_client.smembers(f"{prefix}reminding") == {SURVEY_ID}
    if end == "answered":
        answer(records, terms=survey)
    elif end == "erased":
        records.erase(load(records))
    elif end == "rated":
        records.cancel(Change(48213, ChangeKind.RATED, moment() + DAY), OfferState.SKIPPED, Reason.ALREADY_SURVEYED)
    else:
        pass_time(redis_client, prefix, DAY)
        records.reminded(claim(records))
    assert not redis_client.exists(f"{prefix}reminding")
    assert records.count_waiting() == 1


def test_all_rounds_of_a_conversation_are_listed(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    assert records.list_rounds(48213) == ["48213"]
    redis_client.set(f"{prefix}rounds:48213", 4)
    assert records.list_rounds(48213) == ["48213-4", "48213-3", "48213-2", "48213"]


def test_a_reason_with_a_count_of_zero_is_omitted(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    day = date(2026, 5, 12)
    redis_client.hset(f"{prefix}decisions:{day}", mapping={"asked": 2, "reopened": 0, "channel": 1})
    assert records.count_decisions(day) == {"asked": 2, "channel": 1}
