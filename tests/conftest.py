"""Fixtures that many tests share: a real Redis for the session, the records in it, and a browser."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser

from service.surveys.records import Records, connect
from tests.browser.conftest import chromium
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
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server for a test that stops it."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    """Keys of this test's own: tests share a server."""
    return f"test-{uuid.uuid4().hex[:12]}:"


@pytest.fixture
def records(redis_client: redis.Redis, prefix: str) -> Records:
    return Records(redis_client, lease=timedelta(seconds=60), keep=timedelta(days=90), prefix=prefix)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each opens a context of its own."""
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    with chromium() as started:
        yield started
