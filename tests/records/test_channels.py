"""The health of delivery channels: what is written, and what is logged."""

import pytest
import redis
from structlog.testing import capture_logs

from service.records.channels import Channels

SURVEY, OTHER = "48201", "48202"


@pytest.fixture
def channels(redis_client: redis.Redis, prefix: str) -> Channels:
    return Channels(redis_client, prefix=prefix)


def test_a_try_of_a_channel_that_works_reserves_nothing(
    channels: Channels, redis_client: redis.Redis, prefix: str
) -> None:
    assert channels.begin("email", SURVEY) is None
    assert list(redis_client.scan_iter(f"{prefix}*")) == []


def test_a_survey_that_waits_reserves_nothing(channels: Channels, redis_client: redis.Redis, prefix: str) -> None:
    channels.failed("email", SURVEY, "away")
    redis_client.delete(f"{prefix}channel:email:pause")
    assert channels.begin("email", SURVEY)
    assert channels.begin("email", OTHER) is None


def test_a_failure_is_logged_when_the_channel_goes_down_and_not_again(channels: Channels) -> None:
    for expected in ([{"event": "channel.down", "channel": "email", "problem": "away", "log_level": "error"}], []):
        with capture_logs() as logs:
            channels.failed("email", SURVEY, "away")
        assert logs == expected
    with capture_logs() as logs:
        channels.works("email", OTHER)
    assert logs == [{"event": "channel.recovered", "channel": "email", "log_level": "warning"}]
