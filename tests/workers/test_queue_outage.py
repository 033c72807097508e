"""The queue and the worker while Redis is frozen, down or full."""

from pathlib import Path

import redis

from service.surveys.states import Journey
from tests.integration.conftest import QUICK
from tests.polling import eventually
from tests.processes import Afterword, RedisServer
from tests.tasks import KEY, push_task

DUE = "afterword:due:offer"


def test_worker_survives_a_full_redis(own_redis: RedisServer, tmp_path: Path) -> None:
    afterword = Afterword(tmp_path, QUICK | {"REDIS_URL": own_redis.url}).start("worker")
    try:
        client = redis.Redis.from_url(own_redis.url)
        push_task(client, Journey.OFFER, "1")
        eventually(lambda: client.llen(KEY) == 0)
        with afterword.frozen("worker"):
            client.zadd(DUE, {"2": 1})
            client.config_set("maxmemory", 1)
        eventually(lambda: "relay.failed" in afterword.log)
        client.config_set("maxmemory", 0)
        # A task without a record removes its survey.
        eventually(lambda: client.zcard(DUE) == 0)
        client.close()
    finally:
        afterword.stop()
