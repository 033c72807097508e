"""The limit of posts to one link, in Redis and, while Redis is unavailable, in each process."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.records import link_guard
from service.records.link_guard import LinkGuard
from service.records.records import Records
from service.records.redis import Breaker, RecordsUnavailable
from tests.harness import AT_ONCE
from tests.processes import free_port
from tests.records.steps import SURVEY_ID, close_of, load

SURVEY, OTHER = "48201", "48202"


class Clock:
    """A manual clock, in seconds."""

    def __init__(self) -> None:
        self.now = 7.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(link_guard, "monotonic", clock)
    return clock


@pytest.fixture
def without_redis(clock: Clock) -> Iterator[LinkGuard]:
    client = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    yield LinkGuard(client, breaker=Breaker())
    client.close()


def post_all(count: Callable[[str], int]) -> None:
    assert [count(SURVEY) for _ in range(100)] == [0] * 100


def test_redis_counts_the_posts_of_a_minute(redis_client: redis.Redis, prefix: str) -> None:
    guard = LinkGuard(redis_client, breaker=Breaker(), prefix=prefix)

    def count(survey_id: str) -> int:
        return guard.load_for_post(survey_id)[1]

    post_all(count)
    assert 0 < count(SURVEY) <= 60
    assert count(OTHER) == 0
    redis_client.pexpire(f"{prefix}posted:{SURVEY}", timedelta(hours=1))
    assert 3000 < count(SURVEY) <= 3600


def test_the_record_comes_with_the_count(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    guard = LinkGuard(redis_client, breaker=Breaker(), prefix=prefix)
    assert guard.load_for_post(SURVEY_ID) == (None, 0)
    records.accept(close_of(), [AT_ONCE])
    assert guard.load_for_post(SURVEY_ID) == (load(records), 0)
    assert redis_client.get(f"{prefix}posted:{SURVEY_ID}") == "2"


def test_without_redis_a_post_raises(without_redis: LinkGuard) -> None:
    with pytest.raises(RecordsUnavailable):
        without_redis.load_for_post(SURVEY)


def test_a_process_counts_without_redis(without_redis: LinkGuard, clock: Clock) -> None:
    post_all(without_redis.count_here)
    clock.now += 20.5
    assert without_redis.count_here(SURVEY) == 40
    assert without_redis.count_here(OTHER) == 0
    clock.now += 39
    assert without_redis.count_here(SURVEY) == 1
    clock.now += 0.5
    post_all(without_redis.count_here)
    assert without_redis.count_here(SURVEY) == 60


def test_a_process_resets_its_counts_after_too_many_links(
    without_redis: LinkGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_guard, "_MAX_LINKS", 2)
    post_all(without_redis.count_here)
    assert without_redis.count_here(SURVEY) == 60
    assert without_redis.count_here(OTHER) == 0
    assert without_redis.count_here(SURVEY) == 0
