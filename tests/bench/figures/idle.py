"""What web and worker use while nothing happens: memory, CPU, and Redis."""

from collections.abc import Iterator
from threading import Event

import redis

from tests.bench.bench import AT_ONCE, Bench
from tests.bench.costs import RedisUse, cpu_seconds, pss_bytes
from tests.bench.delivered import running_delivered
from tests.bench.dixa import stand_in
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer

_SECONDS = 30.0
_SURVEYS = 20


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the figures of web and worker after some surveys, over half a minute."""
    cpu, commands, round_trips = [], [], []
    span = _SECONDS / bench.rounds
    with stand_in() as dixa:
        server = AfterwordServer(
            bench.new_folder(),
            bench.redis,
            SURVEYS_FILE=bench.surveys(AT_ONCE),
            DIXA_API_URL=dixa.api_url,
        )
        with running_delivered(server, dixa, _SURVEYS), redis.Redis.from_url(server.redis_url) as client:
            for _ in range(bench.rounds):
                before, used = RedisUse.of(client), cpu_seconds(*server.pids)
                Event().wait(span)
                cpu.append(100 * (cpu_seconds(*server.pids) - used) / span)
                use = RedisUse.of(client) - before
                commands.append(use.commands / span)
                round_trips.append(use.round_trips / span)
            web, worker = (pss_bytes(server.pid_of(program)) / 2**20 for program in ("web", "worker"))
    yield Figure("idle: memory of web and worker (PSS)", [web + worker], "MB", goal="≤ 125 MB")
    yield Figure("idle: of that, the worker", [worker], "MB")
    yield Figure("idle: CPU of web and worker", cpu, "% of a core", goal="≤ 0.3 %")
    yield Figure("idle: Redis commands", commands, "/s", goal="≤ 6 /s")
    yield Figure("idle: round trips to Redis", round_trips, "/s")
