"""The queue of tasks, without a worker."""

import json
import uuid
from datetime import timedelta

import redis

from service.records.records import Records
from service.records.tasks import QUEUE, read_task, write_task
from service.surveys.states import Journey

KEY = f"afterword:{QUEUE}"


def push_task(client: redis.Redis, journey: Journey, survey_id: str) -> None:
    """Queue a task for a real worker."""
    client.lpush(KEY, json.dumps(write_task(journey, survey_id, str(uuid.uuid4()))))


def take_tasks(client: redis.Redis, key: str = KEY) -> list[tuple[Journey, str]]:
    """Empty a queue, in the order of a worker."""
    tasks = []
    while text := client.rpop(key):
        assert isinstance(text, str | bytes)
        tasks.append(read_task(json.loads(text)))
    return tasks


def take_due(records: Records, journey: Journey, limit: int, requeue_after: timedelta) -> list[str]:
    """Take due surveys of one journey as the relay does, but into a queue of their own."""
    key, due = f"{records._prefix}taken:{uuid.uuid4()}", records._due(journey)
    records._run_script("queue_due", [key, due], limit, requeue_after, journey, limit, 0, limit)
    return [survey_id for _, survey_id in take_tasks(records._redis, key)]
