"""`afterword worker-alive` fails only if a restart of this host's worker may help."""

import json

import redis

from service.records.processes import Processes
from tests.cli.conftest import Runner
from tests.processes import free_port


def test_worker_is_missed_until_it_reports_itself(run: Runner, keys: redis.Redis) -> None:
    assert "no worker on " in run("worker-alive", fails=True).output
    Processes(keys, {}).write("web")
    assert "no worker on " in run("worker-alive", fails=True).output
    Processes(keys, {}).write("worker")
    assert run("worker-alive").output.startswith("ok: 1 on ")


def test_worker_of_another_host_does_not_count(run: Runner, keys: redis.Redis) -> None:
    report = {"role": "worker", "host": "elsewhere", "settings": {}, "at": keys.time()[0]}
    keys.hset("afterword:processes", "worker@elsewhere:1", json.dumps(report))
    assert "no worker on " in run("worker-alive", fails=True).output


def test_worker_that_can_not_read_its_queue_fails(run: Runner, keys: redis.Redis) -> None:
    Processes(keys, {}, queue_problem=lambda: "NoPermissionError").write("worker")
    assert "can't read its queue: NoPermissionError" in run("worker-alive", fails=True).output


def test_outage_of_redis_is_no_reason_for_a_restart(run: Runner) -> None:
    output = run("worker-alive", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").output
    assert output.startswith("unknown: ConnectionError (connection refused)")
