"""Stories in the records of a test's own."""

import pytest
import redis

from service.sandbox.server import Sandbox
from tests.telling import Story


@pytest.fixture
def story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    return Story(redis_client, prefix, dixa)
