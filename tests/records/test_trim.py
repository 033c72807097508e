"""Fields with a shorter retention than their record are deleted in time, and no others."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from service.records.codec import to_ms
from service.records.records import Records
from service.rules.timeline import describe
from service.surveys.model import Decision
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.retention import Retention
from service.surveys.states import Journey, Verdict
from tests.harness import AT_ONCE, CSAT
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, is_about, load, submit

LONG = Retention(address=90 * DAY, comment=90 * DAY, facts=90 * DAY, agent=90 * DAY)
AGENT, SECRET = "agent-1", "A secret thought"
CLOSE = replace(close_of(), agent_id=AGENT, tags=("vip",), user_type="Contact", channel="Email", requester_id="r-1")


class Kept:
    """Records with a retention, and their database."""

    def __init__(self, client: redis.Redis, prefix: str, **retention: timedelta) -> None:
        self.client, self.prefix = client, prefix
        kept_for = replace(LONG, **retention)
        self.records = Records(client, lease=MINUTE, keep=90 * DAY, retention=kept_for, prefix=prefix)

    def fields(self) -> dict[str, str]:
        found: dict[str, str] = self.client.hgetall(f"{self.prefix}survey:{SURVEY_ID}")  # type: ignore[assignment]
        return found

    def due_in(self) -> timedelta | None:
        """Return the time until the record is trimmed, or None if it isn't scheduled."""
        score: Any = self.client.zscore(f"{self.prefix}due:trim", SURVEY_ID)
        return None if score is None else timedelta(milliseconds=score - to_ms(datetime.now(UTC)))

    def let_pass(self, time: timedelta) -> None:
        """Move the end of the survey, and what is scheduled, into the past."""
        key, fields = f"{self.prefix}survey:{SURVEY_ID}", self.fields()
        for name in (each for each in fields if each.endswith("_ended_at")):
            self.client.hset(key, name, str(int(fields[name]) - to_ms(time)))
        self.client.zincrby(f"{self.prefix}due:trim", -to_ms(time), SURVEY_ID)

    def send(self, **terms: Any) -> None:
        self.records.accept(CLOSE, [replace(AT_ONCE, **terms)])
        found = claim(self.records)
        facts = {"state": "Closed", "language": "da", "agent_id": "agent-2"}
        self.records.decide(found, Decision(Verdict.ASK, facts=facts), "da")
        self.records.begin_call(found, CSAT, (), timedelta())
        self.records.offered(found, CSAT, "rating-1")
        self.records.begin_delivery(found, "message")
        self.records.delivered(found)


def test_nothing_is_scheduled_if_all_is_kept_as_long(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix)
    kept.send()
    answer(kept.records, 4, SECRET)
    submit(kept.records)
    assert kept.due_in() is None
    assert kept.records.trim_ended() == 0


def test_facts_and_agent_are_deleted_when_each_is_due(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, facts=40 * DAY, agent=30 * DAY)
    kept.send()
    answer(kept.records, 4)
    submit(kept.records)
    assert is_about(kept.due_in(), 30 * DAY)
    assert kept.records.trim_ended() == 0
    before = load(kept.records)
    kept.let_pass(30 * DAY)
    assert kept.records.trim_ended() == 1
    assert AGENT not in str(kept.fields())
    assert "agent-2" not in str(kept.fields())
    record = load(kept.records)
    assert record.close == replace(CLOSE, agent_id=None)
    assert "agent_id" not in record.facts
    assert record.facts["language"] == "da"
    assert is_about(kept.due_in(), 10 * DAY)
    kept.let_pass(10 * DAY)
    assert kept.records.trim_ended() == 1
    record = load(kept.records)
    assert record.close == replace(CLOSE, agent_id=None, tags=None, user_type=None)
    assert not {"decision", "language", "answer_language"} & kept.fields().keys()
    assert kept.due_in() is None
    # What prevents a second survey, and what the page shows, stays.
    assert (record.offer.state, record.offers, record.answer and record.answer.answer.scores) == (
        before.offer.state,
        before.offers,
        {CSAT: 4},
    )
    assert kept.records.accept(CLOSE, [AT_ONCE])[0] == "duplicate"
    assert "\n".join(describe(record, "")).endswith("Next: nothing, the survey is complete.")
    assert is_about(timedelta(seconds=redis_client.ttl(f"{prefix}survey:{SURVEY_ID}")), 90 * DAY)


def test_second_trim_changes_nothing(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, agent=DAY)
    kept.send()
    kept.let_pass(2 * DAY)
    kept.records.trim_ended()
    before = kept.fields()
    redis_client.zadd(f"{prefix}due:trim", {SURVEY_ID: 0})
    assert kept.records.trim_ended() == 1
    assert kept.fields() == before
    assert kept.records.trim_ended() == 0


def test_answer_restarts_the_retention(redis_client: redis.Redis, prefix: str) -> None:
    """Until it is submitted, an alert may name the agent."""
    kept = Kept(redis_client, prefix, agent=30 * DAY)
    kept.send()
    kept.let_pass(31 * DAY)
    answer(kept.records, 4)
    assert kept.records.trim_ended() == 1
    assert load(kept.records).close == CLOSE
    submit(kept.records)
    assert is_about(kept.due_in(), 30 * DAY)


def test_empty_list_of_tags_stays_one(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, agent=DAY)
    kept.records.accept(replace(CLOSE, tags=()), [], Reason.CHANNEL)
    assert is_about(kept.due_in(), DAY)
    kept.let_pass(2 * DAY)
    kept.records.trim_ended()
    assert json.loads(kept.fields()["close"])["tags"] == []
    assert load(kept.records).close == replace(CLOSE, tags=(), agent_id=None)


def test_comment_of_a_failed_answer_is_deleted(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, comment=7 * DAY)
    kept.send()
    answer(kept.records, 4, SECRET)
    kept.records.fail(claim(kept.records, Journey.ANSWER), Reason.REFUSED)
    assert is_about(kept.due_in(), 7 * DAY)
    kept.let_pass(8 * DAY)
    kept.records.trim_ended()
    assert SECRET not in str(kept.fields())
    record = load(kept.records)
    assert record.answer
    assert record.answer.has_comment
    assert kept.records.retry(Journey.ANSWER, SURVEY_ID) == "retried"


def test_comment_of_a_failed_follow_up_and_address_of_a_failed_offer_expire(
    redis_client: redis.Redis, prefix: str
) -> None:
    kept = Kept(redis_client, prefix, address=2 * DAY, comment=7 * DAY)
    kept.send(on_answer=(OnAnswer((4,), CSAT, note=True),))
    answer(kept.records, 4, SECRET)
    submit(kept.records)
    kept.records.fail(claim(kept.records, Journey.FOLLOW_UP), Reason.REFUSED)
    assert is_about(timedelta(seconds=redis_client.ttl(f"{prefix}retry:{SURVEY_ID}:comment")), 7 * DAY)
    kept.records.accept(close_of(7), [AT_ONCE])
    redis_client.hset(f"{prefix}survey:7", "email", "ida@example.com")
    found = kept.records.claim(Journey.OFFER, "7")
    assert found
    kept.records.fail(found, Reason.REFUSED)
    assert is_about(timedelta(seconds=redis_client.ttl(f"{prefix}retry:7:email")), 2 * DAY)


def test_agent_of_an_erased_record_is_deleted_too(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, agent=DAY)
    kept.send()
    kept.records.erase(load(kept.records))
    kept.let_pass(2 * DAY)
    kept.records.trim_ended()
    assert AGENT not in str(kept.fields())


def test_expired_record_leaves_the_set(redis_client: redis.Redis, prefix: str) -> None:
    kept = Kept(redis_client, prefix, agent=DAY)
    kept.send()
    redis_client.delete(f"{prefix}survey:{SURVEY_ID}")
    kept.let_pass(2 * DAY)
    assert kept.records.trim_ended() == 1
    assert not redis_client.exists(f"{prefix}due:trim")


@pytest.mark.parametrize("limit", [1, 5])
def test_trim_takes_a_limited_number(redis_client: redis.Redis, prefix: str, limit: int) -> None:
    kept = Kept(redis_client, prefix, agent=DAY)
    for number in range(1, 7):
        redis_client.zadd(f"{prefix}due:trim", {str(number): number})
    assert kept.records.trim_ended(limit) == limit
    assert redis_client.zcard(f"{prefix}due:trim") == 6 - limit
