"""A sandbox Dixa, empty for each test, and the story of a survey in it."""

from collections.abc import Iterator

import pytest
import redis

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.telling import Story


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(rate=None)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def dixa(sandbox: Sandbox) -> Sandbox:
    """The sandbox, knowing of nothing."""
    sandbox.reset()
    sandbox.on_exchange.clear()
    sandbox.state.listing_lag = 0.0
    return sandbox


@pytest.fixture
def story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    return Story(redis_client, prefix, dixa)
