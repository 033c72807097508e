"""A real worker drops foreign messages from its queue without logging their text."""

import json
from pathlib import Path

import pytest
import redis

from service.queue import make_app
from service.records.tasks import QUEUE, write_task
from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import Afterword, RedisServer
from tests.tasks import KEY, push_task, take_tasks

WORD = "Hemmelig"
"""Part of each message. The log must not contain it."""

DUE = "afterword:due:offer"
IN_A_HUNDRED_YEARS = 4_917_000_000_000


def celery(task: object, body: object) -> str:
    """Return a message like ours with another task or body."""
    message = write_task(Journey.OFFER, "1", "1")
    return json.dumps(message | {"headers": message["headers"] | {"task": task}, "body": body})


GARBAGE: dict[str, str | bytes] = {
    "not JSON": WORD,
    "empty": b"",
    "not UTF-8": b"\xff\xfe" + WORD.encode(),
    "truncated": '{"body": "Hemmel',
    "a number": "5",
    "null": "null",
    "a text": f'"{WORD}"',
    "an empty list": "[]",
    "an object": json.dumps({"offer": WORD}),
    "headers of a text": json.dumps({"headers": WORD, "body": WORD}),
    "deep": "[" * 100_000,
    "deep and complete": "[" * 100_000 + "]" * 100_000,
    "a number too large": "1" * 10_000,
    "an object of a kombu type": '{"__type__": "datetime", "__value__": "Hemmelig"}',
    "a kombu object without a value": '{"__type__": "uuid"}',
    "an unknown task": celery("afterword.hemmelig", json.dumps([[WORD], {}, {}])),
    "a task of a list": celery([WORD], json.dumps([[WORD], {}, {}])),
    "a task of null": celery(None, json.dumps([[WORD], {}, {}])),
    "a body of null": celery("afterword.offer", None),
    "a body of a text": celery("afterword.offer", WORD),
    "a deep body": celery("afterword.offer", "[" * 100_000),
    "no id": celery("afterword.offer", json.dumps([[], {}, {}])),
    "two ids": celery("afterword.offer", json.dumps([[WORD, WORD], {}, {}])),
    "an id of a number": celery("afterword.offer", json.dumps([[5], {}, {}])),
    "a long id": celery("afterword.offer", json.dumps([[WORD * 100], {}, {}])),
    "huge": f'"{WORD * 2_000_000}"',
}


def test_worker_drops_foreign_messages_and_keeps_running(tmp_path: Path, own_redis: RedisServer) -> None:
    client = redis.Redis(port=own_redis.port)
    for message in GARBAGE.values():
        client.lpush(KEY, message)
    # A task without a record removes its survey from the due set. The relay would queue it in a hundred years.
    client.zadd(DUE, {"the last": IN_A_HUNDRED_YEARS})
    push_task(client, Journey.OFFER, "the last")
    worker = Afterword(tmp_path, {"REDIS_URL": own_redis.url}).start("worker")
    try:
        eventually(lambda: client.zcard(DUE) == 0)
        assert worker.log.count("task.dropped") == len(GARBAGE)
        assert WORD not in worker.log
        assert "Traceback" not in worker.log
        assert worker.log.count("Connected to") == 1
        assert worker.is_running("worker")
    finally:
        worker.stop()
        client.close()


def test_message_that_arrives_at_the_stop_of_a_worker_is_the_next_of_another(own_redis: RedisServer) -> None:
    client = redis.Redis(port=own_redis.port)
    with make_app(own_redis.url).connection() as connection:
        channel = connection.default_channel
        channel.basic_consume(QUEUE, no_ack=True, callback=pytest.fail, consumer_tag="1")
        connection.transport.cycle.on_poll_start()
        assert channel._in_poll
        channel.basic_cancel("1")
        push_task(client, Journey.OFFER, "1")
        push_task(client, Journey.OFFER, "2")
    assert take_tasks(client) == [(Journey.OFFER, "1"), (Journey.OFFER, "2")]
    client.close()
