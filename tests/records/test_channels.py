"""The state of delivery channels in Redis and in the log."""

from datetime import timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.records.channels import PAUSE, Channels
from tests.polling import eventually

SURVEY, OTHER = "48201", "48202"


@pytest.fixture
def channels(redis_client: redis.Redis, prefix: str) -> Channels:
    return Channels(redis_client, prefix=prefix)


def test_a_try_of_a_working_channel_writes_nothing(channels: Channels, redis_client: redis.Redis, prefix: str) -> None:
    assert channels.begin("email", SURVEY) is None
    assert list(redis_client.scan_iter(f"{prefix}*")) == []


def test_a_delivery_without_failures_on_record_costs_one_command(
    channels: Channels, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.records.channels._QUIET_SECONDS", 3600.0)

    def count() -> int:
        commands: int = redis_client.info("stats")["total_commands_processed"]
        return commands

    before = count()
    channels.begin("email", SURVEY)
    channels.works("email", SURVEY)
    assert count() - before - 1 == 1
    channels.failed("email", OTHER, "away")
    assert channels.begin("email", SURVEY)


def test_a_failure_of_another_process_is_noticed(channels: Channels, redis_client: redis.Redis, prefix: str) -> None:
    assert channels.begin("email", SURVEY) is None
    Channels(redis_client, prefix=prefix).failed("email", OTHER, "away")
    assert eventually(lambda: channels.begin("email", SURVEY))


def test_a_waiting_survey_reserves_no_try(channels: Channels, redis_client: redis.Redis, prefix: str) -> None:
    channels.failed("email", SURVEY, "away")
    redis_client.delete(f"{prefix}channel:email:pause")
    assert channels.begin("email", SURVEY)
    assert channels.begin("email", OTHER) is None


def test_a_failed_survey_waits_longer_than_other_surveys(
    channels: Channels, redis_client: redis.Redis, prefix: str
) -> None:
    channels.failed("email", SURVEY, "away")
    pipeline = redis_client.pipeline()
    pipeline.pttl(f"{prefix}channel:email:pause")
    pipeline.pttl(f"{prefix}channel:email:pause:{SURVEY}")
    of_all, own = (timedelta(milliseconds=each) for each in pipeline.execute())
    assert own - of_all > PAUSE / 2


def test_a_success_ends_all_pauses(channels: Channels) -> None:
    channels.failed("email", SURVEY, "away")
    assert channels.wait("email", SURVEY)
    assert channels.wait("email", OTHER)
    channels.works("email", SURVEY)
    assert channels.wait("email", SURVEY) is None
    assert channels.wait("email", OTHER) is None
    assert channels.troubles() == []


def test_a_failing_channel_is_logged_once(channels: Channels) -> None:
    for expected in ([{"event": "channel.down", "channel": "email", "problem": "away", "log_level": "error"}], []):
        with capture_logs() as logs:
            channels.failed("email", SURVEY, "away")
        assert logs == expected
    with capture_logs() as logs:
        channels.works("email", OTHER)
    assert logs == [{"event": "channel.recovered", "channel": "email", "log_level": "warning"}]


def test_only_the_fifth_uncertain_failure_pauses_a_channel(channels: Channels) -> None:
    for number in range(4):
        channels.failed("email", str(number), "away", is_certain=False)
    assert channels.troubles() == []
    channels.failed("email", "4", "away", is_certain=False)
    assert len(channels.troubles()) == 1


def test_the_state_of_a_channel_expires_a_day_after_its_last_try(
    channels: Channels, redis_client: redis.Redis, prefix: str
) -> None:
    channels.failed("email", SURVEY, "away")
    left = timedelta(milliseconds=redis_client.pttl(f"{prefix}channels_down"))
    assert timedelta(hours=23) < left <= timedelta(days=1)


def test_only_one_of_two_concurrent_surveys_gets_the_next_try(
    channels: Channels, redis_client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels.failed("email", SURVEY, "away")
    redis_client.delete(f"{prefix}channel:email:pause")
    faster, read = Channels(redis_client, prefix=prefix), channels._read_health

    def read_before_the_other(channel: str, survey_id: str) -> tuple[bool, timedelta | None]:
        found = read(channel, survey_id)
        monkeypatch.setattr(channels, "_read_health", read)
        assert faster.begin("email", OTHER) is None
        return found

    monkeypatch.setattr(channels, "_read_health", read_before_the_other)
    assert channels.begin("email", "48203") == timedelta(seconds=10)
