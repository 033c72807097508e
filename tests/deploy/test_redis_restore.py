"""deploy/redis-restore.sh, with a real Redis."""

import os
import subprocess
from pathlib import Path

import pytest
import redis

from tests.deploy.manifests import DEPLOY
from tests.deploy.tools import run
from tests.processes import BIN, RedisServer


@pytest.fixture
def backup(tmp_path: Path, own_redis: RedisServer) -> Path:
    """Back up a Redis with one key, change the key, and stop Redis."""
    client = redis.Redis.from_url(own_redis.url)
    client.set("afterword:test", "in the backup")
    run("redis-cli", "-p", str(own_redis.port), "--rdb", tmp_path / "backup.rdb")
    client.set("afterword:test", "later")
    client.close()
    own_redis.stop()
    return tmp_path / "backup.rdb"


def restore(backup: Path) -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    command = ["sh", str(DEPLOY / "redis-restore.sh"), str(backup), str(backup.parent)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)


def read(server: RedisServer) -> object:
    server.start()
    client = redis.Redis.from_url(server.url, decode_responses=True)
    found = client.get("afterword:test"), client.info("persistence")["aof_enabled"]
    client.close()
    return found


def test_restored_redis_has_the_backup_and_an_append_only_file(backup: Path, own_redis: RedisServer) -> None:
    done = restore(backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(own_redis) == ("in the backup", 1)


def test_restored_redis_keeps_what_comes_later(backup: Path, own_redis: RedisServer) -> None:
    restore(backup)
    own_redis.start()
    client = redis.Redis.from_url(own_redis.url)
    client.set("afterword:test", "after the restore")
    client.close()
    own_redis.stop()
    assert read(own_redis) == ("after the restore", 1)


def test_damaged_backup_ends_with_the_reason(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:20])
    done = restore(backup)
    assert done.returncode != 0
    assert "RDB" in done.stdout
    assert list((backup.parent / "before-restore").iterdir())
