"""A real worker, and a task with an unexpected error."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import redis

from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import ROOT, RedisServer
from tests.tasks import push_task

SECRET = "hunter2"

PROGRAM = """
import sys
from types import SimpleNamespace
from celery.signals import setup_logging
from config.logging import set_up_logging
from service.queue import make_app
from service.surveys.states import Journey
from workers.tasks import register_tasks

SECRET = sys.argv[2]
set_up_logging("json", "INFO")
setup_logging.connect(lambda **_: None, weak=False)


def fail(survey_id):
    raise ConnectionResetError(f"535 no, {SECRET} isn't the password of {survey_id}")


app = make_app(sys.argv[1])
register_tasks(app, [SimpleNamespace(journey=Journey.OFFER, run=fail)], lambda _: None)
app.task(fail, name="afterword.answer", shared=False)
app.worker_main(["--quiet", "worker", "--pool", "threads", "--concurrency", "2", "--without-mingle"])
"""


def test_error_of_a_task_is_logged_with_type_and_place(redis_server: RedisServer, tmp_path: Path) -> None:
    url = redis_server.new_database()
    with redis.Redis.from_url(url) as client:
        push_task(client, Journey.OFFER, "48201")
        push_task(client, Journey.ANSWER, "48202")  # This task isn't ours, so Celery itself logs its error.
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-c", dedent(PROGRAM), url, SECRET],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=out,
        )
    try:
        eventually(lambda: log.read_text().count("ConnectionResetError (the connection was cut)") >= 2)
    finally:
        worker.terminate()
        worker.wait()
    text = log.read_text()
    assert SECRET not in text
    assert "in fail" in text
    assert '"task.failed"' in text
    assert '"survey_id": "48201"' in text
