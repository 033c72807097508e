"""The steps of a real worker."""

import os
import subprocess
import sys
from textwrap import dedent

import redis

from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import ROOT, RedisServer
from tests.tasks import push_task

TASKS = 20
PROGRAM = """
import sys
from threading import Event
from types import SimpleNamespace

import redis
from kombu.utils import eventio

from service.queue import make_app
from service.surveys.states import Journey
from workers.steps import WakeStep
from workers.tasks import register_tasks

client = redis.Redis.from_url(sys.argv[1])
poll = eventio._epoll.poll
# Without a timer, only an event moves Celery's loop.
eventio._epoll.poll = lambda self, timeout: poll(self, None)


def run(survey_id):
    Event().wait(0.05)
    client.incr("ended")


app = make_app(sys.argv[1])
register_tasks(app, [SimpleNamespace(journey=Journey.OFFER, run=run)], lambda _: None)
app.steps["worker"].add(WakeStep)
app.worker_main("--quiet worker --pool threads --concurrency 1 --without-mingle --without-gossip".split())
"""


def test_the_end_of_a_task_takes_the_next_one(redis_server: RedisServer) -> None:
    """By default, Celery's event loop notices a free thread at its next timer: 0.5 s later on average."""
    url = redis_server.new_database()
    client = redis.Redis.from_url(url)
    for number in range(TASKS):
        push_task(client, Journey.OFFER, str(number))
    worker = subprocess.Popen(
        [sys.executable, "-c", dedent(PROGRAM), url], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        eventually(lambda: client.get("ended") == b"%d" % TASKS)
    finally:
        worker.terminate()
        worker.wait()
        client.close()
