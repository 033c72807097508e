"""The relay: the order of journeys in a queue with room for a few tasks."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from config.settings import Timings
from service.dixa.pace import SharedPace
from service.records.codec import to_ms
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.records.tasks import read_task
from service.surveys.ports import Deadline
from service.surveys.states import Journey
from tests.harness import BoundlessPace
from tests.polling import eventually
from tests.processes import patient
from tests.replicas import pair
from workers.relay import Pace, Relay


def make_due(records: Records, journey: Journey, *survey_ids: str, in_ms: int = -1000) -> None:
    now = to_ms(datetime.now(UTC))
    records._redis.zadd(records._due(journey), {each: now + in_ms + number for number, each in enumerate(survey_ids)})


def relay(records: Records, room: int, pace: Pace | None = None) -> list[tuple[Journey, str]]:
    """Relay once. Return all waiting tasks in the order of a worker."""
    Relay(records, Timings(recovery_wait=timedelta()), pace or BoundlessPace()).relay_once(room)
    return waiting(records)


def waiting(records: Records) -> list[tuple[Journey, str]]:
    texts: Any = records._redis.lrange(records._queue_key, 0, -1)
    return [read_task(json.loads(each)) for each in reversed(texts)]


def test_answers_are_queued_first(records: Records) -> None:
    make_due(records, Journey.OFFER, *map(str, range(100)))
    make_due(records, Journey.ANSWER, "a", "b", "c")
    assert relay(records, 3) == [(Journey.ANSWER, each) for each in "abc"]


def test_answers_wait_after_an_outage(records: Records) -> None:
    """A spool may hold a later one."""
    make_due(records, Journey.ANSWER, "a")
    make_due(records, Journey.OFFER, "1")
    Relay(records, Timings(recovery_wait=timedelta(hours=1)), BoundlessPace()).relay_once(3)
    assert waiting(records) == [(Journey.OFFER, "1")]


def test_alert_does_not_wait_for_a_backlog_of_offers(records: Records) -> None:
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    make_due(records, Journey.FOLLOW_UP, "alert")
    tasks = relay(records, 16)
    assert tasks[0] == (Journey.FOLLOW_UP, "alert")
    assert len(tasks) == 16


def test_follow_ups_leave_room_for_offers(records: Records) -> None:
    make_due(records, Journey.FOLLOW_UP, *map(str, range(1000)))
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    assert [journey for journey, _ in relay(records, 16)].count(Journey.OFFER) == 12


def test_full_queue_gets_no_more_tasks(records: Records) -> None:
    make_due(records, Journey.OFFER, *map(str, range(10)))
    make_due(records, Journey.FOLLOW_UP, *map(str, range(10)))
    assert len(relay(records, 4)) == 4
    assert len(relay(records, 4)) == 4


def test_relay_queues_only_as_many_tasks_as_the_pace_allows(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    """The limit is shared by all relays and threads."""
    pace = SharedPace(redis_client, ["token"], rate=0.1, burst=1, wait=lambda _: None, prefix=prefix)
    make_due(records, Journey.OFFER, *map(str, range(100)))
    for _ in range(3):
        assert relay(records, 64, pace) == [(Journey.OFFER, "0")]
    redis_client.delete(records._queue_key)
    pace.take_slot(Deadline(timedelta(seconds=15)), timedelta())
    assert relay(records, 64, pace) == []


def test_alert_does_not_wait_for_a_pause_of_dixa(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    pace = SharedPace(redis_client, ["token"], rate=10, burst=1, wait=lambda _: None, prefix=prefix)
    pace.pause(timedelta(minutes=1))
    for journey in Journey:
        make_due(records, journey, journey)
    assert relay(records, 64, pace) == [(Journey.FOLLOW_UP, Journey.FOLLOW_UP)]


def test_survey_due_soon_is_queued_at_its_time(records: Records) -> None:
    """The relay looks again at that time, long before its interval is over."""
    relay = Relay(records, Timings(relay_interval=timedelta(hours=1), recovery_wait=timedelta()), BoundlessPace())
    make_due(records, Journey.OFFER, "1", in_ms=1500)
    relay.start(lambda: 4)
    eventually(lambda: waiting(records) == [(Journey.OFFER, "1")])
    make_due(records, Journey.OFFER, "2")
    relay.task_ended(timedelta(milliseconds=1))
    eventually(lambda: len(waiting(records)) == 2)
    relay.loop.stop()


@pytest.mark.parametrize(("room", "batch"), [(8, 4), (2, 1)])
def test_ended_tasks_make_room_for_the_surveys_left(records: Records, room: int, batch: int) -> None:
    """A batch at once, or fewer a little later. A worker with one thread waits for no second task."""
    relay = Relay(records, Timings(relay_interval=timedelta(hours=1), recovery_wait=timedelta()), BoundlessPace())
    numbers = [*map(str, range(10, 30))]
    make_due(records, Journey.OFFER, *numbers)
    relay.start(lambda: room)
    taken = 0
    for ended in (batch, 1):
        eventually(lambda: relay._ends_left == batch)
        for _ in range(ended):
            records._redis.rpop(records._queue_key)
            relay.task_ended(None)
        taken += ended
        expected = numbers[taken : taken + room]
        eventually(lambda expected=expected: [each for _, each in waiting(records)] == expected)  # type: ignore[misc]
    relay.loop.stop()


def test_relay_deletes_fields_whose_retention_is_over(records: Records, prefix: str, redis_client: redis.Redis) -> None:
    redis_client.zadd(f"{prefix}due:trim", {"1": 0})
    Relay(records, Timings(recovery_wait=timedelta()), BoundlessPace())._step()
    assert not redis_client.exists(f"{prefix}due:trim")


def test_relay_without_a_due_survey_costs_five_commands(records: Records, redis_client: redis.Redis) -> None:
    make_due(records, Journey.OFFER, "1", in_ms=3_600_000)
    relay = Relay(records, Timings(recovery_wait=timedelta()), BoundlessPace())
    relay._housekeeping_at = monotonic() + 60
    relay._step()  # The first one expects anything.
    relay._step()
    before = commands(redis_client)
    relay._step()
    assert commands(redis_client) - before == 5 + 1  # `INFO` counts itself.


def test_nothing_is_queued_while_the_replicas_confirm_nothing(tmp_path: Path) -> None:
    with pair(tmp_path) as servers, patient(servers.primary.url) as client:
        client.replicas = 1
        records = Records(client, lease=timedelta(minutes=1), keep=timedelta(days=1))
        made = Relay(records, Timings(recovery_wait=timedelta()), BoundlessPace())
        made._room = lambda: 16
        make_due(records, Journey.OFFER, "1", "2")
        with servers.without_replica():
            # The relay doesn't know yet. The first task finds out.
            made._step()
            assert len(waiting(records)) == 2
            with pytest.raises(RecordsUnavailable):
                records.claim(Journey.OFFER, "1")
            client.delete(records._queue_key)
            make_due(records, Journey.OFFER, "1", "2")
            with pytest.raises(RecordsUnavailable, match="REDIS_REPLICAS is 1"):
                made._step()
            assert waiting(records) == []
        made._step()
        assert len(waiting(records)) == 2


def commands(client: redis.Redis) -> int:
    return int(client.info("stats")["total_commands_processed"])


SECRET = "of a customer"


class FailingRecords:
    """Records with unexpected errors at first."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._failures = 3
        self.queue_due = records.queue_due

    def report_problems(self) -> None:
        b"\xdf".decode()

    def is_recovering(self, wait: timedelta) -> bool:
        self._failures -= 1
        if self._failures >= 0:
            raise KeyError(SECRET)
        return False

    def require_replicas(self) -> None: ...

    def paused_since(self) -> None:
        return None

    def rewrite_if_erased(self) -> bool:
        return False

    def trim_ended(self) -> int:
        return 0


def test_relay_survives_unexpected_errors_without_logging_their_text(records: Records) -> None:
    make_due(records, Journey.OFFER, "1")
    timings = Timings(relay_interval=timedelta(milliseconds=5))
    relay = Relay(FailingRecords(records), timings, BoundlessPace())  # type: ignore[arg-type]
    with capture_logs() as logs:
        relay.start(lambda: 4)
        eventually(lambda: waiting(records) == [(Journey.OFFER, "1")])
        eventually(lambda: logs[-1]["event"] == "relay.recovered")
        relay.loop.stop()
    assert [each["problem"] for each in logs if each["event"] == "relay.broken"] == ["UnicodeDecodeError", "KeyError"]
    assert SECRET not in str(logs)
