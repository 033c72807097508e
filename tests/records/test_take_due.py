"""The order of due surveys, and their next due time."""

from datetime import timedelta

import pytest
import redis

from service.records.records import Records
from service.records.tasks import Quota, Relayed
from service.surveys.definition import Survey
from service.surveys.model import Claim
from service.surveys.reasons import Reason
from service.surveys.states import Journey
from tests.harness import AT_ONCE, CSAT
from tests.polling import eventually
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, close_of, records_with_short_leases
from tests.tasks import take_due, take_tasks

HOUR = timedelta(hours=1)


def test_a_taken_unclaimed_survey_is_due_again(redis_client: redis.Redis, prefix: str) -> None:
    records = records_with_short_leases(redis_client, prefix)
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    for requeue_after in (timedelta(milliseconds=1), MINUTE):
        assert eventually(lambda after=requeue_after: take_due(records, Journey.OFFER, 10, after)) == [SURVEY_ID]  # type: ignore[misc]
    assert take_due(records, Journey.OFFER, 10, MINUTE) == []


def test_a_survey_due_at_once_is_left_to_its_own_task_for_a_second(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    accepted_at = int(redis_client.hget(f"{prefix}survey:{SURVEY_ID}", "accepted_at"))  # type: ignore[arg-type]
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) == accepted_at + 1000


def test_a_survey_due_at_once_has_a_task(records: Records, redis_client: redis.Redis) -> None:
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    records.accept(close_of(7), [Survey(delay=MINUTE)])
    answer(records)
    queued = take_tasks(redis_client, records._queue_key)
    assert queued == [(Journey.OFFER, SURVEY_ID), (Journey.ANSWER, SURVEY_ID)]


def test_spooled_surveys_and_those_behind_many_are_left_to_the_relay(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    for number in range(20):
        records.accept(close_of(number, ago=MINUTE), [AT_ONCE], is_spooled=number < 10)
    assert [survey_id for _, survey_id in take_tasks(redis_client, records._queue_key)] == [*map(str, range(10, 18))]
    now = records.read_clock().timestamp() * 1000
    assert redis_client.zcount(f"{prefix}due:offer", "-inf", now) == 12
    answer(records, answered_at=records.read_clock())
    assert redis_client.exists(records._queue_key) == 0


def test_a_queue_that_cannot_be_written_fails_no_webhook_and_no_answer(
    records: Records, redis_client: redis.Redis
) -> None:
    redis_client.set(records._queue_key, "of another type")
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    assert take_due(records, Journey.OFFER, 10, MINUTE) == [SURVEY_ID]
    answer(records)
    assert take_due(records, Journey.ANSWER, 10, MINUTE) == [SURVEY_ID]


def test_the_relay_learns_what_is_left(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    quotas = [Quota(journey, free=3, most=2) for journey in Journey]
    assert records.queue_due(quotas, 9, MINUTE) == Relayed(queued=0, waiting=0, is_more=False, next_due=None)
    in_an_hour = (records.read_clock() + timedelta(hours=1)).timestamp() * 1000
    redis_client.zadd(f"{prefix}due:answer", {"1": in_an_hour})
    redis_client.zadd(f"{prefix}due:offer", {"1": 1, "2": 2, "3": 3, "4": in_an_hour + 1})
    first, second, third = (records.queue_due(quotas, 9, 2 * HOUR) for _ in range(3))
    assert (first.queued, first.waiting, first.is_more) == (2, 2, True)
    assert (second.queued, second.waiting, second.is_more) == (1, 3, False)
    assert (third.queued, third.waiting, third.is_more) == (0, 0, False)
    assert third.next_due
    assert HOUR - MINUTE < third.next_due <= HOUR


def test_an_early_task_corrects_the_due_time(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """The relay had requeued the survey, and the journey was rescheduled meanwhile."""
    records.accept(close_of(), [Survey(delay=MINUTE)])
    due_at = redis_client.zscore(f"{prefix}due:offer", SURVEY_ID)
    redis_client.zadd(f"{prefix}due:offer", {SURVEY_ID: 1})
    assert take_due(records, Journey.OFFER, 10, timedelta(hours=1)) == [SURVEY_ID]
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) != due_at
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) == due_at


def test_an_ended_or_lost_survey_leaves_the_due_set(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [], Reason.CHANNEL)
    redis_client.zadd(f"{prefix}due:offer", {SURVEY_ID: 1, "7": 1})
    for survey_id in take_due(records, Journey.OFFER, 10, timedelta()):
        assert records.claim(Journey.OFFER, survey_id) is None
    assert redis_client.zcard(f"{prefix}due:offer") == 0


def test_the_longest_due_surveys_are_taken_first(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    for number, due_ms in ((1, 5), (2, 1), (3, 4), (4, 3)):
        records.accept(close_of(number), [Survey(delay=MINUTE)])
        redis_client.zadd(f"{prefix}due:offer", {str(number): due_ms})
    assert take_due(records, Journey.OFFER, 2, MINUTE) == ["2", "4"]
    assert take_due(records, Journey.OFFER, 10, MINUTE) == ["3", "1"]


def begin_call(records: Records, survey_id: str = SURVEY_ID) -> Claim:
    records.accept(close_of(int(survey_id)), [AT_ONCE])
    found = records.claim(Journey.OFFER, survey_id)
    assert found
    records.begin_call(found, CSAT, (), timedelta())
    return found


def test_surveys_with_a_call_are_taken_first(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """The waiting time of other surveys doesn't matter."""
    for number in (1, 2):
        records.accept(close_of(number), [AT_ONCE])
    redis_client.zadd(f"{prefix}due:offer", {"1": 1, "2": 2})
    records.call_lost(begin_call(records, "3"), timedelta())
    assert take_due(records, Journey.OFFER, 2, MINUTE) == ["3", "1"]
    assert take_due(records, Journey.OFFER, 2, MINUTE) == ["2"]


def test_surveys_with_a_call_wait_for_their_time(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    found = begin_call(records)
    assert take_due(records, Journey.OFFER, 1, MINUTE) == []
    records.call_lost(found, MINUTE)
    assert take_due(records, Journey.OFFER, 1, MINUTE) == []
    for name in ("due:offer", "due:offer:first"):
        redis_client.zadd(f"{prefix}{name}", {SURVEY_ID: 1})
    assert take_due(records, Journey.OFFER, 2, MINUTE) == [SURVEY_ID]
    assert redis_client.zcard(f"{prefix}due:offer:first") == 0


@pytest.mark.parametrize("failed", [True, False])
def test_only_a_failed_try_is_due_at_once_when_dixa_works_again(records: Records, *, failed: bool) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.reschedule(claim(records), MINUTE, failed=failed)
    records.end_backoff([int(SURVEY_ID)])
    assert (records.claim(Journey.OFFER, SURVEY_ID) is not None) is failed


def test_a_call_in_flight_waits_though_dixa_works_again(records: Records) -> None:
    records.reschedule(begin_call(records), MINUTE, failed=True)
    records.end_backoff([int(SURVEY_ID)])
    assert records.claim(Journey.OFFER, SURVEY_ID) is None


def test_an_ended_survey_leaves_the_first_set(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    found = begin_call(records)
    assert redis_client.zcard(f"{prefix}due:offer:first") == 1
    records.fail(found, Reason.REFUSED)
    assert redis_client.zcard(f"{prefix}due:offer:first") == 0
