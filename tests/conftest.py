"""Shared fixtures: a real Redis for the session, the records in it, and a browser."""

import os
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from flask import Flask
from hypothesis import HealthCheck, settings
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser

from service.dixa.client import DixaClient
from service.records.records import Records
from service.sandbox.server import Sandbox
from service.web.readiness import Readiness
from service.web.rejections import Rejections
from tests import sandboxes
from tests.browser import tools
from tests.browser.conftest import chromium
from tests.harness import Story, open_client
from tests.postgres import PostgresServer, open_postgres
from tests.processes import RedisServer, patient

# The speed of the machine is no property of the code: only the whole test has a time limit, not an example.
settings.register_profile("afterword", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("afterword")


class CompiledTemplates(BytecodeCache):
    """Keeps compiled templates for all apps of this process: most tests make an app, and compiling takes 70 ms."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if compiled := self._compiled.get(bucket.key):
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": CompiledTemplates()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in tests of speed, and let each process of pytest-xdist begin with its share of the longest.

    The sandbox of a test of speed runs in this process. The longest tests mostly wait. At the end they would be alone.
    """
    for item in items:
        if item.path.parent.name in {"chaos", "integration", "fuzz"}:
            item.add_marker(pytest.mark.no_cover)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = [item for item in items if item.path.parent.name == "chaos"]
    others = [item for item in items if item.path.parent.name != "chaos"]
    bounds = [len(others) * number // processes for number in range(processes + 1)]
    items[:] = [
        item
        for number in range(processes)
        for item in (*longest[number::processes], *others[bounds[number] : bounds[number + 1]])
    ]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Start a Redis. Its files are in memory, if possible: most tests don't depend on the speed of a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - the files are in a temporary folder inside
    with TemporaryDirectory(prefix="redis-", dir=memory if memory.is_dir() else None) as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(autouse=True, scope="module")
def no_late_reports() -> Iterator[None]:
    """Cancel the reports of rejected requests, due in a minute. They would be in a later test's log."""
    yield
    for each in threading.enumerate():
        if isinstance(each, threading.Timer) and each.function.__qualname__.startswith(Rejections.__name__):
            each.cancel()


@pytest.fixture(autouse=True)
def fresh_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `/readyz` check at each request, without a cache."""
    monkeypatch.setattr(Readiness, "MAX_AGE_SECONDS", 0.0)


@pytest.fixture(scope="session")
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    client = patient(redis_server.url)
    yield client
    client.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server for a test that stops or freezes it."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def prefix() -> str:
    """Return a prefix for this test's keys: tests share a server."""
    return f"test-{uuid.uuid4().hex[:12]}:"


@pytest.fixture
def records(redis_client: redis.Redis, prefix: str) -> Records:
    return Records(redis_client, lease=timedelta(seconds=60), keep=timedelta(days=90), prefix=prefix)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL."""
    with open_postgres() as server:
        if server is None:
            tools.skip_without(tools.ToolMissing("PostgreSQL is not installed. See: make browser"))
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty archive, in each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/archive.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.make_database()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Start a sandbox Dixa for a module, without a rate limit."""
    with sandboxes.sandbox() as opened:
        yield opened


@pytest.fixture
def dixa(sandbox: Sandbox) -> Sandbox:
    """Reset the sandbox and return it."""
    sandbox.reset()
    sandbox.on_exchange.clear()
    return sandbox


@pytest.fixture
def client(dixa: Sandbox, redis_client: redis.Redis, prefix: str) -> DixaClient:
    """Return a client without a rate limit."""
    return open_client(dixa, redis_client, prefix)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one Chromium for a module. Each test opens its own context. Its event loop must end with the module."""
    try:
        tools.browser_path()
    except tools.ToolMissing as missing:
        tools.skip_without(missing)
    with chromium() as started:
        yield started


@pytest.fixture
def story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    """Return a story with separate records for this test."""
    return Story(redis_client, prefix, dixa)
