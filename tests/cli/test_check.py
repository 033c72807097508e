"""`afterword check`: a line for each part, and an exit code that a deploy can go by."""

from collections.abc import Iterator

import pytest
import redis

from tests.cli.conftest import Runner
from tests.running import free_port


@pytest.fixture
def slow_to_sync(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("appendfsync", "everysec")
    yield
    keys.config_set("appendfsync", "always")


def test_all_is_well(run: Runner) -> None:
    assert [line.split()[:2] for line in run("check").output.splitlines()] == [
        ["ok", "settings;"],
        ["ok", "Redis:"],
        ["ok", "Dixa:"],
        ["ok", "asking:"],
    ]


@pytest.mark.usefixtures("slow_to_sync")
def test_what_a_redis_can_lose_is_a_warning(run: Runner) -> None:
    told = run("check").output
    assert "warn Redis: appendfsync is everysec" in told
    assert "ok   Redis" not in told


def test_a_redis_that_is_away_and_a_token_that_is_refused_fail(run: Runner) -> None:
    away = run("check", fails=True, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").output
    refused = run("check", fails=True, DIXA_API_TOKEN="another-token").output
    assert "FAIL Redis: " in away
    assert "FAIL Dixa: " in refused
    assert "another-token" not in refused
