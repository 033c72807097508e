"""Fixtures that many tests share: a real Redis for the session, and the records in it."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from service.surveys.records import Records, connect
from tests.running import RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    client = connect(redis_server.url)
    yield client
    client.close()


@pytest.fixture
def prefix() -> str:
    """Keys of this test's own: tests share a server."""
    return f"test-{uuid.uuid4().hex[:12]}:"


@pytest.fixture
def records(redis_client: redis.Redis, prefix: str) -> Records:
    return Records(redis_client, lease=timedelta(seconds=60), keep=timedelta(days=90), prefix=prefix)
