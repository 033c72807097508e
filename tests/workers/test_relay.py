"""The relay: whose turn it is when there is room for a few tasks only."""

from datetime import UTC, datetime, timedelta

import pytest

from config.settings import Timings
from service.surveys.fields import to_ms
from service.surveys.model import Journey
from service.surveys.records import Records
from workers.relay import Relay


class Queue:
    """A queue that nobody empties."""

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
    return Relay(records, queue, timings).relay_once(room)


def test_answers_go_first(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(100)))
    make_due(records, Journey.ANSWER, "a", "b", "c")
    assert relay(records, queue, 3) == 3
    assert queue.tasks == [(Journey.ANSWER, each) for each in "abc"]


def test_an_alert_does_not_wait_for_a_backlog_of_offers(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    make_due(records, Journey.FOLLOW_UP, "alert")
    relay(records, queue, 16)
    assert queue.tasks[0] == (Journey.FOLLOW_UP, "alert")
    assert len(queue.tasks) == 16


def test_what_follows_answers_leaves_room_for_offers(records: Records, queue: Queue) -> None:
    make_due(records, Journey.FOLLOW_UP, *map(str, range(1000)))
    make_due(records, Journey.OFFER, *map(str, range(1000)))
    relay(records, queue, 16)
    assert [journey for journey, _ in queue.tasks].count(Journey.OFFER) == 12


def test_a_full_queue_gets_nothing_more(records: Records, queue: Queue) -> None:
    make_due(records, Journey.OFFER, *map(str, range(10)))
    assert relay(records, queue, 4) == 4
    assert relay(records, queue, 4) == 0
