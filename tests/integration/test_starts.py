"""A mistake in the settings stops a start. A HUP with one keeps the previous settings."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests

from service.sandbox.server import Sandbox
from tests.integration.conftest import QUICK
from tests.polling import eventually
from tests.processes import Afterword, RedisServer, cluster_node

GOOD = '[[survey]]\nname = "one"\n'
BAD = '[[survey]]\nname = "one"\ndelya = "1s"\n'


@pytest.fixture
def surveys(tmp_path: Path) -> Path:
    file = tmp_path / "surveys.toml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def own(redis_server: RedisServer, dixa: Sandbox, surveys: Path, tmp_path: Path) -> Iterator[Afterword]:
    """Start processes that the test may end."""
    environ = QUICK | {"REDIS_URL": redis_server.new_database(), "DIXA_API_URL": dixa.api_url}
    found = Afterword(tmp_path, environ | {"SURVEYS_FILE": str(surveys)})
    yield found
    found.stop()


def degraded(afterword: Afterword) -> str:
    found: str = requests.get(f"{afterword.url}/readyz", timeout=30).json()["degraded"].get("settings", "")
    return found


def told(afterword: Afterword) -> dict[int, dict[str, Any]]:
    """Return the report of each ready process, by pid."""
    client = redis.Redis.from_url(afterword.redis_url, decode_responses=True)
    entries = client.hgetall("afterword:processes").items()
    found = {int(str(name).rpartition(":")[2]): json.loads(each) for name, each in entries}
    client.close()
    return found


def told_by_the_worker(afterword: Afterword) -> dict[str, Any]:
    return told(afterword).get(afterword.pid_of("worker"), {})


def is_well(afterword: Afterword) -> bool:
    """Return whether the current children report it. A killed child's report stays for a minute."""
    now = told(afterword)
    return all(now.get(pid, {}).get("problem") == "" for pid in children(afterword))


def children(afterword: Afterword) -> set[int]:
    return {each.pid for each in psutil.Process(afterword.pid_of("web")).children()}


def renewed(afterword: Afterword, act: Callable[[], None]) -> None:
    """Act, and wait until all of the web's children are new."""
    before = children(afterword)
    act()
    eventually(lambda: len(now := children(afterword)) >= 2 and not now & before)


def test_the_web_keeps_its_settings_when_the_newer_ones_have_a_mistake(own: Afterword, surveys: Path) -> None:
    own.start("web")

    def hup() -> None:
        os.kill(own.pid_of("web"), signal.SIGHUP)

    surveys.write_text(BAD)
    renewed(own, hup)
    assert "delya" in eventually(lambda: degraded(own))
    assert "settings.refused" in own.log

    # A replacement child keeps them too.
    def kill_all() -> None:
        for pid in children(own):
            os.kill(pid, signal.SIGKILL)

    renewed(own, kill_all)
    assert "delya" in eventually(lambda: degraded(own))

    surveys.write_text(GOOD)
    renewed(own, hup)
    eventually(lambda: is_well(own))


def test_no_mistake_in_where_to_listen_ends_the_web(own: Afterword, tmp_path: Path) -> None:
    """By default, gunicorn closes its sockets before it finds that it can't open the new ones."""
    own.work_in(tmp_path)
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"BIND=127.0.0.1:{own.port}")
    own.start("web")
    for line in ("BIND=127.0.0.1:80o0", "BIND=127.0.0.1:80000", "PORT=80o0", "BIND=198.51.100.1:8000"):
        so_far = len(own.log)
        dotenv.write_text(line)
        renewed(own, lambda: os.kill(own.pid_of("web"), signal.SIGHUP))
        assert requests.get(f"{own.url}/healthz", timeout=30).ok
        what = "needs a restart" if "198" in line else line.partition("=")[0]
        assert what in eventually(lambda so_far=so_far: own.log[so_far:].partition('"settings.')[2])  # type: ignore[misc]


def test_a_first_start_is_refused_by_the_same_mistake(own: Afterword, surveys: Path) -> None:
    surveys.write_text(BAD)
    with pytest.raises(AssertionError, match="delya"):
        own.start("web")


def test_the_worker_keeps_its_settings_too(own: Afterword, surveys: Path) -> None:
    own.start("worker")
    eventually(lambda: told_by_the_worker(own))
    surveys.write_text(BAD)
    os.kill(own.pid_of("worker"), signal.SIGHUP)
    eventually(lambda: "delya" in told_by_the_worker(own)["problem"])
    assert "settings.refused" in own.log
    assert own.is_running("worker")
    surveys.write_text(GOOD + 'rating = "Nps"\n')
    before = told_by_the_worker(own)["settings"]
    os.kill(own.pid_of("worker"), signal.SIGHUP)
    eventually(lambda: told_by_the_worker(own)["settings"] != before)
    assert not told_by_the_worker(own)["problem"]
    assert own.is_running("worker")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_redis_cluster_is_refused_at_the_start(name: str, dixa: Sandbox, tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server:
        own = Afterword(tmp_path, {"REDIS_URL": server.url, "DIXA_API_URL": dixa.api_url})
        if name == "web":
            with pytest.raises(AssertionError, match="this is a Redis Cluster"):
                own.start(name)
        else:
            own.start(name)
            eventually(lambda: not own.is_running(name))
            assert "REDIS_URL can't be used: this is a Redis Cluster" in own.log
