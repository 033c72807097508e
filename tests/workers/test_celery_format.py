"""The tasks written by the scripts are messages of Celery: a worker without our repairs of kombu runs them, too."""

import json
import os
import subprocess
from itertools import count
from pathlib import Path

import pytest
import redis

from service.records.records import Records
from service.records.tasks import write_task
from service.surveys.states import Journey
from tests.harness import AT_ONCE
from tests.polling import eventually
from tests.processes import BIN, ROOT, RedisServer, patient
from tests.records.steps import DAY, MINUTE, close_of
from tests.tasks import KEY

COMMAND = ["celery", "--quiet", "--app", "tests.workers.plain_celery", "worker", "--pool", "solo"]
ALONE = ["--without-mingle", "--without-gossip"]


@pytest.fixture
def records(own_redis: RedisServer) -> Records:
    return Records(patient(own_redis.url), lease=MINUTE, keep=DAY)


def test_a_plain_celery_worker_runs_the_tasks(own_redis: RedisServer, tmp_path: Path, records: Records) -> None:
    client = redis.Redis.from_url(own_redis.url)
    environ = os.environ | {"REDIS_URL": own_redis.url, "PYTHONPATH": str(ROOT), "PATH": f"{BIN}:{os.environ['PATH']}"}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([*COMMAND, *ALONE], cwd=tmp_path, env=environ, stdout=log, stderr=log)
    numbers = count(1)

    def has_run_three() -> bool:
        # One more each time: without our repairs, kombu may lose one.
        records.accept(close_of(next(numbers), ago=MINUTE), [AT_ONCE])
        return client.llen("done") >= 3

    try:
        eventually(has_run_three)
        assert {int(each) for each in client.lrange("done", 0, -1)} < set(range(1, next(numbers)))
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        worker.terminate()
        worker.wait()
        client.close()


def test_scripts_and_python_write_the_same_message(own_redis: RedisServer, records: Records) -> None:
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    client = redis.Redis.from_url(own_redis.url)
    (text,) = client.lrange(KEY, 0, -1)
    message = json.loads(text)
    found = message | {"body": json.loads(message["body"])}
    task_id = message["headers"]["id"]
    assert task_id.startswith("48213-offer-")
    ours = write_task(Journey.OFFER, "48213", task_id)
    assert found == ours | {"body": json.loads(ours["body"])}
    client.close()
