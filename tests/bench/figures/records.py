"""What a record takes in Redis, and whether more of them make anything slower.

The sizes are differences of `used_memory`, so they include the due sets. Filling Redis is not timed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from statistics import median
from threading import Event
from time import perf_counter

import redis

from service.dixa.events import load_event
from service.intake.intake import Intake
from service.records.records import Records
from service.records.redis import connect
from service.records.tasks import Quota
from service.rules.identity import Identities
from service.surveys.model import Close
from service.surveys.states import Journey
from tests.bench.bench import AT_ONCE, SURVEYS, Bench
from tests.bench.costs import RedisUse
from tests.bench.delivered import running_delivered
from tests.bench.dixa import stand_in
from tests.bench.load import drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer
from tests.bench.traffic import close_event, forms, webhooks
from tests.polling import eventually
from tests.processes import SECRET_KEY, settings_for

_FIRST, _WAITING, _FINISHED = 20, 1000, 300
_FEW, _MANY, _MILLION = 1_000, 100_000, 1_000_000
_TIMED = 200
_COUNTS_OF_POSTS, _COOLDOWNS = "afterword:posted:*", "afterword:asked:*"
"""Keys beside a finished record: gone after a minute, and of its customer."""
_ROOM = 1_000_000
_HINT_SECONDS = 1.5
"""The relay leaves a survey that is due at its close to its task for a second."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the sizes, and the times beside a thousand records and beside many."""
    yield Figure("a waiting record", [_waiting_bytes(bench)], "bytes", goal="≤ 1,100")
    record, survey = _finished_bytes(bench)
    yield Figure("a finished record", [record], "bytes", goal="≤ 1,600")
    yield Figure("a finished record, with its customer's cooldown", [survey], "bytes")
    yield from _measure_sizes(bench)


def _waiting_bytes(bench: Bench) -> float:
    server = AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS))

    def close(length: int) -> None:
        server.start()
        try:
            drive(server.port, webhooks(server.port, length), connections=8).require(202)
        finally:
            server.stop()

    (size,) = _bytes_of_each(server, close, _WAITING, _COUNTS_OF_POSTS)
    return size


def _finished_bytes(bench: Bench) -> tuple[float, float]:
    """Let web and worker finish surveys, with an answer in Dixa. Return the size without and with their cooldowns."""
    with stand_in() as dixa:
        given = {"DIXA_API_URL": dixa.api_url, "DIXA_PACE": "1000/100", "RECOVERY_WAIT": "1s"}
        server = AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(AT_ONCE), **given)

        def finish(length: int) -> None:
            before = dixa.counts()["results"]
            with running_delivered(server, dixa, length) as tokens:
                drive(server.port, forms(tokens.values(), server.port), connections=8).require(303)
                eventually(lambda: dixa.counts()["results"] == before + length)

        survey, record = _bytes_of_each(server, finish, _FINISHED, _COUNTS_OF_POSTS, _COOLDOWNS)
        return record, survey


def _bytes_of_each(server: AfterwordServer, make: Callable[[int], None], length: int, *less: str) -> list[float]:
    """Return the memory of each record made: without the keys of the first pattern, of the first two, and so on.

    The first records load the scripts. No process is connected meanwhile. Redis's table of keys doesn't shrink at
    once, so a size is a little too large.
    """
    make(_FIRST)
    with redis.Redis.from_url(server.redis_url) as client:
        for pattern in less:
            _delete(client, pattern)
        before = RedisUse.of(client)
        make(length)
        sizes = []
        for pattern in less:
            _delete(client, pattern)
            sizes.append((RedisUse.of(client) - before).memory / length)
        return sizes


def _delete(client: redis.Redis, pattern: str) -> None:
    if found := list(client.scan_iter(pattern)):
        client.delete(*found)


def _measure_sizes(bench: Bench) -> Iterator[Figure]:
    """Yield each time beside many records against the time beside few."""
    url = bench.redis.new_database()
    with connect(url) as client, _without_syncs(client):
        filled = _Filled(client, url)
        filled.fill(_FEW)
        few = filled.measure()
        for size in (_MANY, _MILLION)[: 1 + bench.has_million]:
            filled.fill(size)
            for name, values in filled.measure().items():
                yield Figure(f"{name}, {size:,} records", values, "ms", f"{_FEW:,} records", few[name], "flat")
        client.flushdb(asynchronous=True)  # Redis would need seconds to free a million records.


@contextmanager
def _without_syncs(client: redis.Redis) -> Iterator[None]:
    """Let Redis sync no write: a sync takes the same time for any number of records, and longer than all else here."""
    client.config_set("appendfsync", "no")
    try:
        yield
    finally:
        client.config_set("appendfsync", "always")


class _Filled:
    """Records in Redis, made as the web makes them: by the intake, from Dixa's event."""

    def __init__(self, client: redis.Redis, url: str) -> None:
        self._client = client
        self._records = Records(client, lease=timedelta(minutes=1), keep=timedelta(days=90))
        surveys = settings_for(url).surveys
        self._waiting = Intake(self._records, surveys, None, Identities([SECRET_KEY]))
        at_once = tuple(replace(survey, delay=timedelta(), delays={}) for survey in surveys)
        self._due = Intake(self._records, at_once, None, Identities([SECRET_KEY]))
        self._closes = _closes()
        self._size = 0

    def fill(self, size: int) -> None:
        """Add records until there are so many."""
        for close in islice(self._closes, size - self._size):
            self._waiting.take_close(close)
        self._size = size
        eventually(lambda: not self._client.info("persistence")["aof_rewrite_in_progress"])

    def measure(self) -> dict[str, list[float]]:
        """Return the milliseconds of each operation."""
        quota = [Quota(Journey.OFFER, free=_ROOM, most=10)]

        def queue_due() -> None:
            assert self._records.queue_due(quota, _ROOM, timedelta(minutes=1)).queued == 10

        accepted = [_time(lambda: self._waiting.take_close(next(self._closes))) for _ in range(_TIMED)]
        for close in islice(self._closes, _TIMED):
            self._due.take_close(close)
        Event().wait(_HINT_SECONDS)
        taken = [_time(queue_due) for _ in range(_TIMED // 10)]
        paused = [_time(self._pause_and_resume) for _ in range(5)]
        self._size += 2 * _TIMED
        return {
            "accept": [median(accepted)],
            "relay of ten due surveys": [median(taken)],
            "pause, count and resume": [median(paused)],
        }

    def _pause_and_resume(self) -> None:
        """Do what `afterword pause` and `afterword resume` do."""
        self._records.pause()
        self._records.count_waiting()
        self._records.resume()
        self._records.count_waiting()


def _closes() -> Iterator[Close]:
    """Yield closes of different customers. They differ in what a record keeps."""
    close = load_event(close_event(1), datetime.now(UTC)).close
    assert close
    for number in count(10_000_000):
        yield replace(
            close,
            conversation_id=number,
            requester_id=f"{number}-550c-4942-98b9-e60cf736acd9",
            event_id=f"{number}-550f-4942-98b9-e60cf736acd9",
            email=f"ida+{number}@example.com",
        )


def _time(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return 1000 * (perf_counter() - began)
