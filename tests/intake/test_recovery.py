"""The recovery thread survives every error, and measures Redis's clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
import redis
from structlog.testing import capture_logs

from service.intake.recovery import Recovery
from service.intake.spool import Spool
from service.intake.spool_codec import SpooledClose, write_entry
from service.records.redis import RecordsUnavailable
from service.surveys.model import Close
from service.surveys.reasons import Reason
from service.web.app import create_app
from service.web.services import Services
from tests.intake.folders import age
from tests.polling import eventually
from tests.processes import RedisServer, settings_for


@pytest.fixture
def core(own_redis: RedisServer, tmp_path: Path) -> Services:
    core: Services = create_app(settings_for(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))).extensions["afterword"]
    assert core.spool
    core.spool.prepare()
    return core


def spool_close(spool: Spool | None, number: int) -> None:
    assert spool
    close = Close(number, datetime.now(UTC))
    spool.put(write_entry(SpooledClose(close, (), Reason.NO_SURVEY_MATCHES)))


def test_first_step_measures_the_clock_of_redis(core: Services) -> None:
    core.records.clock_offset = timedelta(hours=1)
    core.recovery.step()
    core.recovery.step()
    assert abs(core.records.clock_offset) < timedelta(seconds=1)


def test_steps_follow_sooner_while_redis_is_down_or_entries_wait(core: Services, own_redis: RedisServer) -> None:
    loop = core.recovery.loop
    loop._next_at = later = monotonic() + 3600

    def is_soon() -> bool:
        return loop._next_at < later

    core.recovery.step()
    assert not is_soon()
    spool_close(core.spool, 1)
    core.recovery.step()
    assert is_soon()
    loop._next_at = later
    own_redis.stop()
    for act in (core.records.ping, core.recovery.step):
        with pytest.raises(RecordsUnavailable):
            act()
    assert is_soon()


def test_full_redis_stops_the_drain_and_keeps_the_breaker_open(core: Services, own_redis: RedisServer) -> None:
    spool_close(core.spool, 1)
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", "1")
        for _ in range(3):
            with pytest.raises(RecordsUnavailable):
                core.recovery.step()
        assert core.recovery._breaker.is_open
        client.config_set("maxmemory", "0")
    core.recovery.step()
    assert core.recovery._spool
    assert core.recovery._spool.waiting() == 0
    assert core.records.load("1")


def test_entry_refused_by_redis_delays_no_other_entry(core: Services, own_redis: RedisServer) -> None:
    for number in (1, 2, 3):
        spool_close(core.spool, number)
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("afterword:survey:1", "not a hash")
        for _ in range(3):
            with pytest.raises(RecordsUnavailable):
                core.recovery.step()
        assert core.records.load("2")
        assert core.records.load("3")
        client.delete("afterword:survey:1")
    core.recovery.step()
    assert core.records.load("1")


def test_entry_refused_by_redis_is_overdue_but_not_after_an_outage(
    core: Services, own_redis: RedisServer, tmp_path: Path
) -> None:
    own_redis.stop()
    with pytest.raises(RecordsUnavailable):
        core.recovery.step()
    spool_close(core.spool, 1)
    age(tmp_path / "spool")
    own_redis.start()
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("afterword:survey:1", "not a hash")
    with pytest.raises(RecordsUnavailable):
        core.recovery.step()
    assert core.spool
    assert core.spool.overdue() == 0
    age(tmp_path / "spool")
    with pytest.raises(RecordsUnavailable):
        core.recovery.step()
    assert core.spool.overdue() == 1


SECRET = b"pa\xdfword, or password"


class FailingRecords:
    """Records with unexpected errors at first."""

    def __init__(self) -> None:
        self.pings = 0

    def report_problems(self) -> None:
        SECRET.decode()

    def ping(self) -> None:
        self.pings += 1
        if self.pings < 3:
            raise KeyError(SECRET)


def test_recovery_survives_unexpected_errors_without_logging_their_text(core: Services) -> None:
    records = FailingRecords()
    recovery = Recovery(records, core.recovery._breaker, None, core.intake)  # type: ignore[arg-type]
    core.recovery._breaker.is_open = True
    with capture_logs() as logs:
        recovery.loop.start("recovery")
        eventually(lambda: any(each["event"] == "redis.recovered" for each in logs))
    recovery.loop.stop()
    assert [each["problem"] for each in logs if each["event"] == "recovery.failed"] == [
        "UnicodeDecodeError",
        "KeyError",
    ]
    assert "in ping" in logs[1]["where"]
    assert "password" not in str(logs)


def test_number_of_drained_entries_is_logged_once(core: Services) -> None:
    for number in (1, 2):
        spool_close(core.spool, number)
    with capture_logs() as logs:
        core.recovery.step()
        core.recovery.step()
    assert [each["drained"] for each in logs if each["event"] == "spool.drained_all"] == [2]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OSError(5, "Input/output error"), "Redis works, but the spool can't be read: Input/output error"),
        (RecordsUnavailable("Redis is full"), "Redis is full"),
    ],
)
def test_undrainable_spool_is_reported(
    core: Services, monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str
) -> None:
    def fail(_: Spool) -> int:
        raise error

    monkeypatch.setattr(Spool, "waiting", fail)
    with capture_logs() as logs:
        core.recovery.loop.start("recovery")
        eventually(lambda: any(each["event"] == "redis.lost" for each in logs))
    core.recovery.loop.stop()
    assert next(each["problem"] for each in logs if each["event"] == "redis.lost") == problem
