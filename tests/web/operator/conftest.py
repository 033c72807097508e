"""The window in this process, with records that a sandbox Dixa has made fail."""

from collections.abc import Iterator

import pytest
import redis
from flask.testing import FlaskClient

from service.sandbox.server import Sandbox
from tests.harness import Story
from tests.processes import RedisServer, patient
from tests.web.operator.window_client import make_window


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


@pytest.fixture
def window(redis_url: str) -> FlaskClient:
    return make_window(redis_url)


@pytest.fixture
def keys(redis_url: str) -> Iterator[redis.Redis]:
    client = patient(redis_url)
    yield client
    client.close()


@pytest.fixture
def story(keys: redis.Redis, dixa: Sandbox) -> Story:
    """Write surveys to the records that the window reads."""
    return Story(keys, "afterword:", dixa)
