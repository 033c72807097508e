"""A real worker drops foreign messages from its queue without logging their text."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from service.queue import CeleryQueue, make_app
from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import Afterword, RedisServer

KEY = "afterword:afterword"
WORD = "Hemmelig"
"""Part of each message. The log must not contain it."""

DUE = "afterword:due:offer"
IN_A_HUNDRED_YEARS = 4_917_000_000_000

Message = dict[str, Any]


def body(*content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def changed(**changes: object) -> Callable[[Message], bytes]:
    return lambda real: json.dumps(real | changes).encode()


def with_headers(**changes: object) -> Callable[[Message], bytes]:
    return lambda real: json.dumps(real | {"headers": real["headers"] | changes}).encode()


def with_properties(**changes: object) -> Callable[[Message], bytes]:
    return lambda real: json.dumps(real | {"properties": real["properties"] | changes}).encode()


def without(*path: str) -> Callable[[Message], bytes]:
    def make(real: Message) -> bytes:
        inner = real
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return json.dumps(real).encode()

    return make


def raw(text: str | bytes) -> Callable[[Message], bytes]:
    return lambda _: text.encode() if isinstance(text, str) else text


NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
GARBAGE: dict[str, Callable[[Message], bytes]] = {
    "not JSON": raw(WORD),
    "empty": raw(b""),
    "not UTF-8": raw(b"\xff\xfe" + WORD.encode()),
    "truncated": lambda real: json.dumps(real).encode()[:100],
    "a number": raw("5"),
    "null": raw("null"),
    "a text": raw(f'"{WORD}"'),
    "a list": raw(f'["{WORD}"]'),
    "an empty object": raw("{}"),
    "deep": raw("[" * 100_000),
    "deep and complete": raw("[" * 100_000 + "]" * 100_000),
    "a number too large": raw("1" * 10_000),
    "an object of a kombu type": raw('{"__type__": "datetime", "__value__": "Hemmelig"}'),
    "a kombu object without a value": raw('{"__type__": "uuid"}'),
    "no headers": without("headers"),
    "no task": without("headers", "task"),
    "no body": without("body"),
    "headers of a list": changed(headers=[WORD]),
    "headers of null": changed(headers=None),
    "an unknown task": with_headers(task=WORD),
    "a task of a list": with_headers(task=[WORD]),
    "a task of null": with_headers(task=None),
    "a body of another type": changed(body=5),
    "a body of an object": changed(body={WORD: WORD}),
    "a body that is no base64": changed(body=f"{WORD}!"),
    "a body that is no JSON": changed(body=base64.b64encode(WORD.encode()).decode()),
    "a body that is no UTF-8": changed(body=base64.b64encode(b"\xff\xfe").decode()),
    "a deep body": changed(body=base64.b64encode(b"[" * 100_000).decode()),
    "no arguments": changed(body=body([], {}, NOTHING)),
    "two arguments": changed(body=body([WORD, WORD], {}, NOTHING)),
    "an argument of a number": changed(body=body([5], {}, NOTHING)),
    "an argument of an object": changed(body=body([{WORD: WORD}], {}, NOTHING)),
    "a long argument": changed(body=body([WORD * 100], {}, NOTHING)),
    "arguments of null": changed(body=body(None, {}, NOTHING)),
    "huge": raw(f'"{WORD * 2_000_000}"'),
    "protocol 1": raw(json.dumps({"task": "afterword.offer", "args": [WORD], "kwargs": {}})),
    "protocol 1, unknown and without an id": lambda real: json.dumps(
        real | {"headers": {}, "body": base64.b64encode(json.dumps({"task": WORD}).encode()).decode()}
    ).encode(),
}
TASKS: dict[str, Callable[[Message], bytes]] = {
    "no properties": without("properties"),
    "no tag": without("properties", "delivery_tag"),
    "properties of a list": changed(properties=[WORD]),
    "another encoding": with_properties(body_encoding=WORD),
    "another content": changed(**{"content-type": "application/x-python-serialize", "content-encoding": WORD}),
    "declared as compressed": with_headers(compression=WORD),
    "no id": without("headers", "id"),
    "an id of a list": with_headers(id=[WORD]),
    "a distant date": with_headers(eta="9999-12-31T23:59:59", expires=WORD),
    "an invalid date": with_headers(eta=WORD),
    "limits without a number": with_headers(timelimit=WORD, retries=WORD),
    "callbacks": changed(body=body(["callbacks"], {WORD: WORD}, {"callbacks": [{"task": WORD}], "chord": WORD})),
}
"""Odd messages with a task and a survey id. The worker reads no other field."""


@pytest.fixture
def own_queue(own_redis: RedisServer) -> CeleryQueue:
    return CeleryQueue(make_app(own_redis.url))


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    opened = redis.Redis(port=own_redis.port)
    yield opened
    opened.close()


def real_message(queue: CeleryQueue, client: redis.Redis, survey_id: str) -> Message:
    """Return the queue's message of a task of ours."""
    queue.publish(Journey.OFFER, survey_id)
    taken = client.lpop(KEY)
    assert isinstance(taken, bytes)
    message: Message = json.loads(taken)
    return message


def test_worker_drops_foreign_messages_and_keeps_running(
    own_queue: CeleryQueue, client: redis.Redis, tmp_path: Path, own_redis: RedisServer
) -> None:
    for name, make in [*GARBAGE.items(), *TASKS.items(), ("the last", lambda real: json.dumps(real).encode())]:
        client.lpush(KEY, make(real_message(own_queue, client, name)))
        # A task without a record removes its survey from the due set. The relay would queue it in a hundred years.
        client.zadd(DUE, {name: IN_A_HUNDRED_YEARS})
    worker = Afterword(tmp_path, {"REDIS_URL": own_redis.url}).start("worker")
    try:
        eventually(lambda: client.zcard(DUE) == len(GARBAGE))
        eventually(lambda: client.hlen("afterword:unacked") == 0)
        assert all(client.zmscore(DUE, [*GARBAGE]))
        assert worker.log.count("task.dropped") == len(GARBAGE)
        assert WORD not in worker.log
        assert "Traceback" not in worker.log
        assert worker.log.count("Connected to") == 1
        assert worker._running["worker"].poll() is None
    finally:
        worker.stop()
