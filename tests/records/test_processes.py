"""Processes report themselves, and disagreements between them are found."""

import atexit
import json
from dataclasses import asdict
from threading import enumerate as all_threads
from typing import NoReturn

import pytest
import redis

from config.fingerprint import take_fingerprint
from service.records.processes import Process, Processes
from tests.polling import eventually
from tests.processes import SECRET_KEY, RedisServer, settings_for
from tests.records.test_redis import OffClient

SETTINGS = {"SECRET_KEYS": "a1", "PUBLIC_URL": "b1"}


@pytest.fixture
def web(redis_client: redis.Redis, prefix: str) -> Processes:
    return Processes(redis_client, SETTINGS, prefix=prefix)


def write(client: redis.Redis, prefix: str, process: Process, seconds_ago: float = 0) -> None:
    """Write the report of another host's process."""
    at = client.time()[0] - seconds_ago
    client.hset(f"{prefix}processes", f"{process.role}@{process.host}:1", json.dumps(asdict(process) | {"at": at}))


def said(web: Processes, onlooker: str = "") -> list[str]:
    """Return the disagreements as the operator reads them."""
    return [*map(str, web.find_disagreements(onlooker))]


def test_equal_settings_are_no_disagreement(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    web.write("web")
    write(redis_client, prefix, Process("worker", "b", SETTINGS))
    assert [each.role for each in web.at_work()] == ["web", "worker"]
    assert said(web) == []
    assert said(web, "this command") == []


def test_a_different_key_is_reported_with_its_processes(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    write(redis_client, prefix, Process("web", "a", SETTINGS))
    write(redis_client, prefix, Process("worker", "b", SETTINGS | {"SECRET_KEYS": "a2"}))
    write(redis_client, prefix, Process("worker", "c", SETTINGS | {"SECRET_KEYS": "a2"}))
    [reported] = said(web)
    assert reported.startswith(
        "SECRET_KEYS is not the same in all processes (web on a: a1 | worker on b, worker on c: a2): "
    )


def test_settings_with_a_mistake_are_reported_in_one_line(
    web: Processes, redis_client: redis.Redis, prefix: str
) -> None:
    write(redis_client, prefix, Process("web", "a", SETTINGS, problem="surveys.toml:\n  name: missing"))
    write(redis_client, prefix, Process("worker", "b", SETTINGS))
    assert said(web) == [
        (
            "web on a keeps older settings, since newer ones have a mistake: surveys.toml:; name: missing: "
            "repair it, and send a HUP"
        )
    ]


def test_refused_webhooks_of_all_processes_are_added_up(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    for host, times in (("a", 2), ("b", 3)):
        write(redis_client, prefix, Process("web", host, SETTINGS, suspicions={"signed with an unknown key": times}))
    assert said(web) == ["webhooks refused in the last hour: 5, signed with an unknown key"]


def test_a_command_is_compared_with_the_processes(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    write(redis_client, prefix, Process("web", "a", SETTINGS | {"PUBLIC_URL": "b2"}))
    assert said(web) == []
    [reported] = said(web, "this command")
    assert "PUBLIC_URL" in reported
    assert "this command on " in reported


def test_a_process_without_a_report_for_half_a_minute_is_not_running(
    web: Processes, redis_client: redis.Redis, prefix: str
) -> None:
    write(redis_client, prefix, Process("worker", "b", {"SECRET_KEYS": "a2"}), seconds_ago=31)
    assert web.at_work() == []
    assert said(web, "this command") == []
    write(redis_client, prefix, Process("worker", "b", SETTINGS), seconds_ago=20)
    assert [each.place for each in web.at_work()] == ["worker on b"]


def test_old_reports_are_removed(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    write(redis_client, prefix, Process("worker", "b", SETTINGS), seconds_ago=3601)
    write(redis_client, prefix, Process("worker", "c", SETTINGS), seconds_ago=3500)
    web.write("web")
    left = [json.loads(text) for text in redis_client.hvals(f"{prefix}processes")]
    assert {each["role"] for each in left} == {"web", "worker"}
    assert [each["host"] for each in left if each["role"] == "worker"] == ["c"]


@pytest.mark.parametrize(
    ("ahead", "reported"), [(412.0, "0:06:52 ahead of"), (-412.0, "0:06:52 behind"), (60.0, None), (-60.0, None)]
)
def test_a_wrong_clock_is_reported(
    web: Processes, redis_client: redis.Redis, prefix: str, ahead: float, reported: str | None
) -> None:
    write(redis_client, prefix, Process("web", "a", SETTINGS, ahead_seconds=ahead))
    assert [f"the clock of web on a is {reported} that of Redis" in each for each in said(web)] == (
        [True] if reported else []
    )


@pytest.mark.parametrize(("redis_ahead", "reported"), [(-400, "ahead of"), (400, "behind")])
def test_a_process_compares_its_clock_with_the_clock_of_redis(
    redis_server: RedisServer, prefix: str, redis_ahead: int, reported: str
) -> None:
    client = OffClient(port=redis_server.port, decode_responses=True)
    client.ahead = redis_ahead
    web = Processes(client, SETTINGS, prefix=prefix)
    web.write("web")
    (found,) = said(web)
    assert f"{reported} that of Redis" in found
    client.close()


def test_the_clock_of_the_test_host_is_right(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    web.write("web")
    [reported] = redis_client.hvals(f"{prefix}processes")
    assert abs(json.loads(reported)["ahead_seconds"]) < 30


def test_unknown_keys_of_another_version_are_ignored(web: Processes, redis_client: redis.Redis, prefix: str) -> None:
    at = redis_client.time()[0]
    entry = {"role": "web", "host": "a", "settings": {"A_NEW_ONE": "1"}, "at": at, "a_new_field": 1}
    redis_client.hset(f"{prefix}processes", "web@a:1", json.dumps(entry))
    write(redis_client, prefix, Process("worker", "b", SETTINGS))
    assert said(web) == []
    assert [each.ahead_seconds for each in web.at_work()] == [0, 0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_reports_itself_and_its_problem_until_its_end(
    web: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.report("web")
    (thread,) = [each for each in all_threads() if each.name == "processes"]
    assert thread.daemon
    eventually(web.at_work)
    web.set_problem("surveys.toml: no [[survey]]")
    eventually(lambda: [each.problem for each in web.at_work()] == ["surveys.toml: no [[survey]]"])
    monkeypatch.setattr(web, "write", end_thread)
    web.set_problem("")
    thread.join(60)
    atexit.unregister(web._leave)
    web._leave("web")
    assert web.at_work() == []


def test_calls_since_the_last_report_are_added_once(redis_client: redis.Redis, prefix: str) -> None:
    made = {"ok": 2}
    worker = Processes(redis_client, SETTINGS, calls=made.copy, prefix=prefix)
    worker.write("worker")
    made.update(ok=5, error=1)
    for _ in range(2):
        worker._leave("worker")
    assert redis_client.hgetall(f"{prefix}dixa:calls") == {"ok": "5", "error": "1"}


def end_thread(role: str) -> NoReturn:
    raise SystemExit(role)


def test_a_fingerprint_shows_differences_and_no_secret() -> None:
    usual = take_fingerprint(settings_for("redis://localhost"))
    other = take_fingerprint(settings_for("redis://localhost", SECRET_KEYS="another-key-for-the-links-0123456789"))
    assert {name for name in usual if usual[name] != other[name]} == {"SECRET_KEYS"}
    assert SECRET_KEY not in str(usual)
    assert usual == take_fingerprint(settings_for("rediss://elsewhere", LOG_LEVEL="DEBUG"))
