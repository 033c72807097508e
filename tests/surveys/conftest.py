"""A sandbox Dixa and the story of a survey in it, one for each test."""

from collections.abc import Iterator

import pytest
import redis

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.telling import Story


@pytest.fixture
def dixa() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(rate=None)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    return Story(redis_client, prefix, dixa)
