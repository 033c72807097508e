"""Fixtures of the journeys."""

from collections.abc import Iterator

import pytest
import redis

from service.sandbox.server import Sandbox
from tests.journeys.team import Team
from tests.receiver import receiving


@pytest.fixture
def team(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Team]:
    with receiving() as receiver:
        yield Team(redis_client, prefix, dixa, receiver)
