"""The expiry of a record, and its keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.records import Records
from service.records.redis import connect
from service.records.terms_codec import store_terms
from service.surveys.definition import Survey
from service.surveys.model import Change, Decision
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, Journey, OfferState, Verdict
from tests.harness import AT_ONCE
from tests.moments import moment
from tests.processes import RedisServer
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, is_about, load, offer, submit
from tests.tasks import take_due


def ttl(redis_client: redis.Redis, prefix: str) -> timedelta | None:
    """Return the remaining time of the record, or None without an expiry."""
    seconds = redis_client.ttl(f"{prefix}survey:{SURVEY_ID}")
    return None if seconds == -1 else timedelta(seconds=int(seconds))


def test_an_open_record_never_expires(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [AT_ONCE])
    assert ttl(redis_client, prefix) is None
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    assert ttl(redis_client, prefix) is None


@pytest.mark.parametrize("end", ["skipped", "cancelled", "failed", "delivered"])
def test_an_ended_record_expires_after_ninety_days(
    records: Records, redis_client: redis.Redis, prefix: str, end: str
) -> None:
    if end == "skipped":
        records.accept(close_of(), [], Reason.CHANNEL)
    else:
        records.accept(close_of(), [AT_ONCE])
    if end == "cancelled":
        records.decide(claim(records), Decision(Verdict.CANCEL, Reason.REOPENED))
    if end == "failed":
        records.fail(claim(records), Reason.REFUSED)
    if end == "delivered":
        offer(records)
    assert load(records).offer.state == end
    assert is_about(ttl(redis_client, prefix), 90 * DAY)


def test_a_record_does_not_expire_before_the_submit_of_its_answer(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [AT_ONCE])
    offer(records)
    answer(records)
    assert ttl(redis_client, prefix) is None
    submit(records)
    assert is_about(ttl(redis_client, prefix), 90 * DAY)


def test_a_retried_record_never_expires_and_has_not_ended(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.fail(claim(records), Reason.REFUSED)
    records.retry(Journey.OFFER, SURVEY_ID)
    assert ttl(redis_client, prefix) is None
    assert load(records).offer.ended_at is None


def test_a_record_outlives_its_link(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [Survey(delay=timedelta(), expires=365 * DAY)])
    offer(records)
    assert is_about(ttl(redis_client, prefix), 366 * DAY)


def test_a_record_with_a_cancelled_reminder_outlives_its_link(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [Survey(delay=timedelta(), expires=365 * DAY, reminder=DAY)])
    offer(records)
    opened = Change(48213, ChangeKind.REOPENED, moment() + 3 * MINUTE)
    assert records.cancel(opened, OfferState.CANCELLED, Reason.REOPENED) == "not_reminded"
    assert is_about(ttl(redis_client, prefix), 366 * DAY)


def test_every_key_has_the_prefix(redis_server: RedisServer) -> None:
    client = connect(redis_server.new_database())
    records = Records(client, lease=MINUTE, keep=DAY, prefix="ours:")
    capped = replace(AT_ONCE, daily_cap=9)
    records.accept(close_of(), [capped])
    offer(records)
    answer(records)
    submit(records)
    records.accept(close_of(7), [capped])
    take_due(records, Journey.OFFER, 10, MINUTE)
    keys = [*client.scan_iter()]
    today = datetime.now(UTC).date()
    counted = [f"ours:asks:{today}:default", f"ours:decisions:{today}"]
    terms = f"ours:terms:{store_terms(capped).name}"
    assert sorted(keys) == [*counted, "ours:due:offer", "ours:survey:48213", "ours:survey:7", "ours:tasks", terms]
    client.close()


def test_a_skipped_record_outlives_the_expiry_of_its_terms(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [Survey(delay=timedelta(), expires=365 * DAY)])
    records.decide(claim(records), Decision(Verdict.SKIP, Reason.UNREACHABLE))
    assert is_about(ttl(redis_client, prefix), 366 * DAY)
