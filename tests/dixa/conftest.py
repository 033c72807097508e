"""A sandbox Dixa without a rate limit, and our client of it."""

from collections.abc import Iterator

import pytest
import redis

from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.telling import open_client


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(tokens=("secret-token-of-the-tests",), rate=None)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def dixa(sandbox: Sandbox) -> Sandbox:
    """The sandbox, knowing of nothing."""
    sandbox.reset()
    return sandbox


@pytest.fixture
def client(dixa: Sandbox, redis_client: redis.Redis, prefix: str) -> DixaClient:
    return open_client(dixa, redis_client, prefix)
