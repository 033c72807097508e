"""The relay: the order of journeys in a queue with room for a few tasks."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from config.settings import Timings
from service.dixa.pace import SharedPace
from service.records.codec import to_ms
from service.records.records import Records
from service.surveys.ports import Deadline
from service.surveys.states import Journey
from tests.harness import BoundlessPace
from tests.polling import eventually
from workers.relay import Relay


class Queue:
    """A queue without a worker."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Journey, str]] = []

    def length(self) -> int:
        return len(self.tasks)

    def publish(self, journey: Journey, survey_id: str) -> None:
        self.tasks.append((journey, survey_id))


@pytest.fixture
def queue() -> Queue:
    return Queue()


def make_due(records: Records, journey: Journey, *survey_ids: str) -> None:
    now = to_ms(datetime.now(UTC))
    records._redis.zadd(records._due(journey), {each: now - 1000 + number for number, each in enumerate(survey_ids)})


def relay(records: Records, queue: Queue, room: int) -> int:
    timings = Timings(recovery_wait=timedelta())
    return Relay(records, queue, timings, BoundlessPace()).relay_once(room)


def test_answers_are_queued_first(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(100)))
    make_due(records, Journey.ANSWER, "a", "b", "c")
    assert relay(records, queue, 3) == 3
    assert queue.tasks == [(Journey.ANSWER, each) for each in "abc"]


def test_alert_does_not_wait_for_a_backlog_of_offers(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    make_due(records, Journey.FOLLOW_UP, "alert")
    relay(records, queue, 16)
    assert queue.tasks[0] == (Journey.FOLLOW_UP, "alert")
    assert len(queue.tasks) == 16


def test_follow_ups_leave_room_for_offers(records: Records, queue: Queue) -> None:
    make_due(records, Journey.FOLLOW_UP, *map(str, range(1000)))
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    relay(records, queue, 16)
    assert [journey for journey, _ in queue.tasks].count(Journey.OFFER) == 12


def test_full_queue_gets_no_more_tasks(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(10)))
    assert relay(records, queue, 4) == 4
    assert relay(records, queue, 4) == 0


def test_relay_queues_only_as_many_tasks_as_the_pace_allows(
    records: Records, redis_client: redis.Redis, prefix: str, queue: Queue
) -> None:
    """The limit is shared by all relays and threads."""
    pace = SharedPace(redis_client, ["token"], rate=0.1, burst=1, wait=lambda _: None, prefix=prefix)
    make_due(records, Journey.OFFER, *map(str, range(100)))
    for _ in range(3):
        Relay(records, queue, Timings(), pace).relay_once(64)
    assert queue.tasks == [(Journey.OFFER, "0")]
    queue.tasks.clear()
    pace.take_slot(Deadline(timedelta(seconds=15)), timedelta())
    Relay(records, queue, Timings(), pace).relay_once(64)
    assert queue.tasks == []


def test_alert_does_not_wait_for_a_pause_of_dixa(
    records: Records, redis_client: redis.Redis, prefix: str, queue: Queue
) -> None:
    pace = SharedPace(redis_client, ["token"], rate=10, burst=1, wait=lambda _: None, prefix=prefix)
    pace.pause(timedelta(minutes=1))
    for journey in Journey:
        make_due(records, journey, journey)
    Relay(records, queue, Timings(recovery_wait=timedelta()), pace).relay_once(64)
    assert queue.tasks == [(Journey.FOLLOW_UP, Journey.FOLLOW_UP)]


SECRET = "of a customer"


class FailingRecords:
    """Records with unexpected errors at first."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._failures = 3

    def report_problems(self) -> None:
        b"\xdf".decode()

    def is_recovering(self, wait: timedelta) -> bool:
        self._failures -= 1
        if self._failures >= 0:
            raise KeyError(SECRET)
        return False

    def take_due(self, journey: Journey, limit: int, requeue_after: timedelta) -> list[str]:
        return self._records.take_due(journey, limit, requeue_after)

    def paused_since(self) -> None:
        return None

    def rewrite_if_erased(self) -> bool:
        return False


def test_relay_survives_unexpected_errors_without_logging_their_text(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, "1")
    timings = Timings(relay_interval=timedelta(milliseconds=5))
    relay = Relay(FailingRecords(records), queue, timings, BoundlessPace())  # type: ignore[arg-type]
    with capture_logs() as logs:
        relay.start(lambda: 4)
        eventually(lambda: queue.tasks == [(Journey.OFFER, "1")])
        eventually(lambda: logs[-1]["event"] == "relay.recovered")
        relay.loop.stop()
    assert [each["problem"] for each in logs if each["event"] == "relay.broken"] == ["UnicodeDecodeError", "KeyError"]
    assert SECRET not in str(logs)
