"""Claims during a pause, during a drain of spools, and after a restore."""

from datetime import timedelta

import pytest
import redis

from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.states import Journey
from tests.harness import AT_ONCE, CSAT
from tests.polling import eventually
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, close_of, offer


def test_only_a_lost_call_is_claimed_during_a_pause(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.pause()
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    records.resume()
    found = claim(records)
    records.begin_call(found, CSAT, [], timedelta())
    records.call_lost(found, timedelta())
    records.pause()
    assert records.claim(Journey.OFFER, SURVEY_ID) is not None


def test_no_answer_is_claimed_while_a_spool_may_contain_a_later_answer(records: Records) -> None:
    answer(records, 2)
    records.delay_answers(MINUTE)
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None
    assert answer(records, 5) == "saved"
    records.delay_answers(timedelta(milliseconds=1))
    found = eventually(lambda: records.claim(Journey.ANSWER, SURVEY_ID))
    assert found is not None
    assert found.record.answered.scores == {CSAT: 5}


def test_no_reminder_is_claimed_while_a_spool_may_contain_an_answer(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [Survey(delay=timedelta(), reminder=MINUTE)])
    offer(records)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_due", 0)
    records.delay_answers(MINUTE)
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    records.delay_answers(timedelta(milliseconds=1))
    assert eventually(lambda: records.claim(Journey.OFFER, SURVEY_ID))


@pytest.mark.parametrize(("later_ms", "is_reconciled"), [(0, True), (-1, False)])
def test_a_record_from_before_a_restore_is_reconciled_first(
    records: Records, redis_client: redis.Redis, prefix: str, later_ms: int, *, is_reconciled: bool
) -> None:
    records.accept(close_of(), [AT_ONCE])
    accepted_at = int(redis_client.hget(f"{prefix}survey:{SURVEY_ID}", "accepted_at"))  # type: ignore[arg-type]
    redis_client.set(f"{prefix}restored_at", accepted_at + later_ms)
    assert claim(records).record.reconcile_first is is_reconciled


def test_a_restore_has_the_time_of_the_redis_clock_in_milliseconds(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    def now_ms() -> int:
        seconds, micros = redis_client.time()
        return seconds * 1000 + micros // 1000

    before = now_ms()
    records.mark_restored()
    assert before <= int(redis_client.get(f"{prefix}restored_at") or 0) <= now_ms()


def test_a_second_pause_keeps_the_time_of_the_first_pause(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    redis_client.set(f"{prefix}paused", "2026-05-12T12:00:00+00:00")
    records.pause()
    assert records.paused_since() == "2026-05-12T12:00:00+00:00"
    assert records.resume()
    assert not records.resume()


@pytest.mark.parametrize(("switch", "seconds"), [("draining", 1), ("paused", 10)])
def test_a_survey_refused_by_a_switch_is_due_again_soon(
    records: Records, redis_client: redis.Redis, prefix: str, switch: str, seconds: int
) -> None:
    journey = Journey.OFFER if switch == "paused" else Journey.ANSWER
    records.accept(close_of(), [AT_ONCE]) if switch == "paused" else answer(records)
    redis_client.set(f"{prefix}{switch}", 1)
    before = redis_client.time()[0]
    assert records.claim(journey, SURVEY_ID) is None
    after = redis_client.time()[0] + 1
    due_at = redis_client.zscore(f"{prefix}due:{journey}", SURVEY_ID)
    assert before + seconds <= due_at / 1000 <= after + seconds  # type: ignore[operator]
