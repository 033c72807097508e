"""A mistake in the settings prevents a start. After a HUP with a mistake the previous settings stay."""

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
    """Prepare processes that the test may stop."""
    environ = QUICK | {"REDIS_URL": redis_server.new_database(), "DIXA_API_URL": dixa.api_url}
    found = Afterword(tmp_path, environ | {"SURVEYS_FILE": str(surveys)})
    yield found
    found.stop()


def degraded(afterword: Afterword) -> str:
    found: str = requests.get(f"{afterword.url}/readyz", timeout=30).json()["degraded"].get("surveys.running", "")
    return found


def reports(afterword: Afterword) -> dict[int, dict[str, Any]]:
    """Return the report of each process by its pid."""
    client = redis.Redis.from_url(afterword.redis_url, decode_responses=True)
    entries = client.hgetall("afterword:processes").items()
    found = {int(str(name).rpartition(":")[2]): json.loads(each) for name, each in entries}
    client.close()
    return found


def worker_report(afterword: Afterword) -> dict[str, Any]:
    return reports(afterword).get(afterword.pid_of("worker"), {})


def has_no_problem(afterword: Afterword) -> bool:
    """Return whether no current child reports a problem. The report of a killed child stays for a minute."""
    now = reports(afterword)
    return all(now.get(pid, {}).get("problem") == "" for pid in children(afterword))


def children(afterword: Afterword) -> set[int]:
    return {each.pid for each in psutil.Process(afterword.pid_of("web")).children()}


def replace_children(afterword: Afterword, act: Callable[[], None]) -> None:
    """Call `act`, and wait until all children of the web are new."""
    before = children(afterword)
    act()
    eventually(lambda: len(now := children(afterword)) >= 2 and not now & before)


def test_web_keeps_its_settings_after_a_hup_with_a_mistake(own: Afterword, surveys: Path) -> None:
    own.start("web")

    def hup() -> None:
        os.kill(own.pid_of("web"), signal.SIGHUP)

    surveys.write_text(BAD)
    replace_children(own, hup)
    assert "delya" in eventually(lambda: degraded(own))
    assert "settings.refused" in own.log

    # A replacement child keeps them too.
    def kill_all() -> None:
        for pid in children(own):
            os.kill(pid, signal.SIGKILL)

    replace_children(own, kill_all)
    assert "delya" in eventually(lambda: degraded(own))

    surveys.write_text(GOOD)
    replace_children(own, hup)
    eventually(lambda: has_no_problem(own))


def test_web_keeps_its_socket_after_a_hup_with_an_invalid_bind(own: Afterword, tmp_path: Path) -> None:
    """By default, gunicorn closes its sockets before it tries to open the new ones."""
    own.work_in(tmp_path)
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"BIND=127.0.0.1:{own.port}")
    own.start("web")

    def hup(line: str, problem: str) -> None:
        so_far = len(own.log)
        dotenv.write_text(line)
        replace_children(own, lambda: os.kill(own.pid_of("web"), signal.SIGHUP))
        assert requests.get(f"{own.url}/healthz", timeout=30).ok
        eventually(lambda: problem in own.log[so_far:].partition('"settings.')[2])

    hup("BIND=127.0.0.1:80o0", "BIND")
    hup("BIND=127.0.0.1:80000", "BIND")
    hup("PORT=80o0", "PORT")
    hup("BIND=198.51.100.1:8000", "still listens at the old address")
    # gunicorn opens the addresses of the reload before: it must not have taken the new one.
    hup("BIND=198.51.100.1:8000", "still listens at the old address")


def test_web_does_not_start_with_a_mistake(own: Afterword, surveys: Path) -> None:
    surveys.write_text(BAD)
    with pytest.raises(AssertionError, match="delya"):
        own.start("web")


def test_worker_keeps_its_settings_after_a_hup_with_a_mistake(own: Afterword, surveys: Path) -> None:
    own.start("worker")
    eventually(lambda: worker_report(own))
    surveys.write_text(BAD)
    os.kill(own.pid_of("worker"), signal.SIGHUP)
    eventually(lambda: "delya" in worker_report(own)["problem"])
    assert "settings.refused" in own.log
    assert own.is_running("worker")
    surveys.write_text(GOOD + 'rating = "Nps"\n')
    before = worker_report(own)["settings"]
    os.kill(own.pid_of("worker"), signal.SIGHUP)
    eventually(lambda: worker_report(own)["settings"] != before)
    assert not worker_report(own)["problem"]
    assert own.is_running("worker")


def test_worker_that_gets_a_hup_while_it_starts_begins_again(own: Afterword, surveys: Path) -> None:
    surveys.unlink()
    os.mkfifo(surveys)
    own.start("worker")
    # Its start waits for what the test writes into this file, so it is before everything else.
    with surveys.open("wb"):
        surveys.unlink()
        surveys.write_text(GOOD)
        os.kill(own.pid_of("worker"), signal.SIGHUP)
        eventually(lambda: not own.is_running("worker") or worker_report(own))
        assert own.is_running("worker"), own.log


@pytest.mark.parametrize("name", ["web", "worker"])
def test_redis_cluster_prevents_the_start(name: str, dixa: Sandbox, tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server:
        own = Afterword(tmp_path, {"REDIS_URL": server.url, "DIXA_API_URL": dixa.api_url})
        if name == "web":
            with pytest.raises(AssertionError, match="this is a Redis Cluster"):
                own.start(name)
        else:
            own.start(name)
            eventually(lambda: not own.is_running(name))
            assert "REDIS_URL can't be used: this is a Redis Cluster" in own.log
