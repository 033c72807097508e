"""The limit of posts to one link, in Redis and, while Redis is unavailable, in each process."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.records import link_guard
from service.records.link_guard import MAX_POSTS, LinkGuard
from service.records.redis import Breaker
from tests.processes import free_port

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


def post_all(guard: LinkGuard) -> None:
    assert [guard.count_post(SURVEY) for _ in range(MAX_POSTS)] == [0] * MAX_POSTS


def test_redis_counts_the_posts_of_a_minute(redis_client: redis.Redis, prefix: str) -> None:
    guard = LinkGuard(redis_client, breaker=Breaker(), prefix=prefix)
    post_all(guard)
    assert 0 < guard.count_post(SURVEY) <= 60
    assert guard.count_post(OTHER) == 0
    redis_client.pexpire(f"{prefix}posted:{SURVEY}", timedelta(hours=1))
    assert 3000 < guard.count_post(SURVEY) <= 3600


def test_a_process_counts_without_redis(without_redis: LinkGuard, clock: Clock) -> None:
    post_all(without_redis)
    clock.now += 20.5
    assert without_redis.count_post(SURVEY) == 40
    assert without_redis.count_post(OTHER) == 0
    clock.now += 39
    assert without_redis.count_post(SURVEY) == 1
    clock.now += 0.5
    post_all(without_redis)
    assert without_redis.count_post(SURVEY) == 60


def test_a_process_resets_its_counts_after_too_many_links(
    without_redis: LinkGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_guard, "_MAX_LINKS", 2)
    post_all(without_redis)
    assert without_redis.count_post(SURVEY) == 60
    assert without_redis.count_post(OTHER) == 0
    assert without_redis.count_post(SURVEY) == 0
