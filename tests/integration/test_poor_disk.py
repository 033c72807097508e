"""The web doesn't start on a disk without locks, and reports stuck entries if locks fail later."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from click.testing import CliRunner

from service.cli import main
from service.sandbox.server import Sandbox
from tests.integration.conftest import QUICK
from tests.polling import eventually
from tests.poor_disk import PoorDisk
from tests.processes import Afterword, RedisServer


@pytest.fixture
def disk(tmp_path: Path) -> PoorDisk:
    return PoorDisk(tmp_path / "disk")


@pytest.fixture
def own(own_redis: RedisServer, dixa: Sandbox, disk: PoorDisk, tmp_path: Path) -> Iterator[Afterword]:
    found = Afterword(tmp_path, QUICK | {"REDIS_URL": own_redis.url, "DIXA_API_URL": dixa.api_url} | disk.environ)
    yield found
    found.stop()


def entries(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "spool").glob("*.json"))


def test_web_without_locks_does_not_start(own: Afterword, disk: PoorDisk, tmp_path: Path) -> None:
    disk.lacks("flock")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "0.json").write_text("{}")
    command = [sys.executable, "-m", *own._commands["web"].split()]
    ended = subprocess.run(command, env=own._environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "it can't be locked: Operation not supported. Name a folder on a disk of this host" in ended.stderr
    assert "Files that wait in it: 1. Move its *.json" in ended.stderr


def test_stuck_entry_fails_doctor_until_it_is_processed(
    own: Afterword, own_redis: RedisServer, disk: PoorDisk, dixa: Sandbox, tmp_path: Path
) -> None:
    own.start("web")
    with redis.Redis.from_url(own_redis.url) as keys:
        # Both child processes have tested the disk.
        eventually(lambda: keys.hlen("afterword:processes") > 1)
    dixa.sends_webhooks_to(own.webhook_url)
    own_redis.stop()
    dixa.close(dixa.make_conversation())
    eventually(lambda: entries(tmp_path))
    disk.lacks("flock")
    own_redis.start()
    eventually(lambda: "spool.unavailable" in own.log)

    def is_stuck() -> bool:
        # An hour later.
        for path in (*entries(tmp_path), tmp_path / "spool" / ".lock"):
            os.utime(path, (0, 0))
        found = requests.get(f"{own.url}/readyz", timeout=30)
        # A stuck entry needs an operator, but other requests are still accepted.
        return (found.status_code, "spool.drained" in found.json()["degraded"]) == (200, True)

    eventually(is_stuck)
    command = ["doctor", "--only", "spool"]
    result = CliRunner().invoke(main, command, env=own._environ)
    assert result.exit_code == 1
    assert "fail spool.drained        1 waiting for over a minute, though Redis is available." in result.output
    disk.restore("flock")
    eventually(lambda: not entries(tmp_path))
    result = CliRunner().invoke(main, command, env=own._environ)
    assert "ok   spool.drained        nothing is stuck." in result.output
