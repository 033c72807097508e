"""A ping tests whether Redis accepts a write, and measures its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from service.records.redis import Breaker, RecordsRefused, RecordsUnavailable, Store
from tests.polling import eventually
from tests.processes import RedisServer, patient

SECOND = timedelta(seconds=1)


@pytest.fixture
def own_client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    client = patient(own_redis.url)
    yield client
    client.close()


def test_the_key_of_a_ping_expires_after_a_second(redis_client: redis.Redis, prefix: str) -> None:
    def time_left() -> int:
        Store(redis_client, prefix=prefix).ping()
        return int(redis_client.pttl(f"{prefix}probe"))

    # After a pause of the machine the key may have expired.
    assert eventually(lambda: max(0, time_left())) <= 1000


def test_a_full_redis_keeps_the_breaker_open(own_client: redis.Redis) -> None:
    breaker = Breaker()
    store = Store(own_client, breaker=breaker)
    own_client.config_set("maxmemory", "1")
    for _ in range(2):
        with pytest.raises(RecordsRefused, match="OutOfMemoryError"):
            store.ping()
        assert breaker.is_open
    assert "of its maxmemory" in store.risks()[0].problem
    own_client.config_set("maxmemory", "0")
    store.ping()
    assert not breaker.is_open


def test_each_problem_is_logged(own_client: redis.Redis) -> None:
    own_client.config_set("maxmemory", "1")
    store = Store(own_client)
    with capture_logs() as logs:
        store.report_problems()
    assert [(each["event"], each["problem"]) for each in logs] == [
        ("redis.unsafe", str(each)) for each in store.risks()
    ]
    assert logs


def test_a_replica_is_distinguished_from_an_outage(own_client: redis.Redis, own_redis: RedisServer) -> None:
    own_client.replicaof("127.0.0.1", 1)
    with pytest.raises(RecordsRefused, match="ReadOnlyError"):
        Store(own_client).ping()
    assert any(each.aspect == "replica" for each in Store(own_client).risks())
    own_redis.stop()
    with pytest.raises(RecordsUnavailable) as caught:
        Store(own_client).ping()
    assert not isinstance(caught.value, RecordsRefused)


class OffClient(redis.Redis):
    """A Redis with another clock than this host."""

    ahead = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # For commands of pipelines, too.
        self.set_response_callback("TIME", lambda found: (int(found[0]) + self.ahead, int(found[1])))


@pytest.mark.parametrize("ahead", [0, 30, -30, 3600])
def test_the_store_uses_the_redis_clock_after_the_first_ping(
    redis_server: RedisServer, prefix: str, ahead: int
) -> None:
    client = OffClient(port=redis_server.port)
    client.ahead = ahead
    store = Store(client, prefix=prefix)
    assert (store.clock_offset, store.now().tzinfo) == (timedelta(), UTC)
    store.ping()
    assert abs(store.clock_offset - ahead * SECOND) < SECOND
    assert abs(store.now() - datetime.now(UTC) - ahead * SECOND) < SECOND
    client.close()


def test_a_failed_ping_keeps_the_clock_offset(own_client: redis.Redis, own_redis: RedisServer) -> None:
    store = Store(own_client)
    store.clock_offset = 30 * SECOND
    own_redis.stop()
    with pytest.raises(RecordsUnavailable):
        store.ping()
    assert store.clock_offset == 30 * SECOND


def test_an_unavailable_redis_is_logged_at_the_start(own_client: redis.Redis, own_redis: RedisServer) -> None:
    own_redis.stop()
    with capture_logs() as logs:
        Store(own_client).report_problems()
    assert [each["event"] for each in logs] == ["redis.unavailable"]
    assert Store(own_client).unusable() == ""


def test_the_clock_offset_counts_from_the_middle_of_the_call(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call took 20 seconds."""
    moments = iter(datetime.fromtimestamp(seconds, UTC) for seconds in (990, 1010))

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return next(moments)

    client = redis.Redis(port=redis_server.port)
    monkeypatch.setattr(client, "time", lambda: (1000, 0))
    monkeypatch.setattr("service.records.redis.datetime", Clock)
    store = Store(client)
    store.read_clock()
    assert store.clock_offset == timedelta()
    client.close()
