"""What a worker needs for surveys that are due together, at Dixa's rate limit: CPU, commands, claims, calls, time.

Nothing but the worker runs meanwhile. Its idle ticks are part of the figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import redis

from tests.bench.bench import Bench
from tests.bench.costs import RedisUse, cpu_seconds
from tests.bench.dixa import TOKENS, Report, stand_in
from tests.bench.load import drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer
from tests.bench.traffic import numbers, webhook
from tests.polling import eventually

_BURST = 4
_RATE = 10.0
# A delay, so that the relay finds them, and no task is queued at the close. All of them are sent before it is over.
_SOON = '[[survey]]\ndelay = "5s"\n'


@dataclass(frozen=True, slots=True)
class Drain:
    """The surveys sent. `cpu_ms` and `claims` are for each of them."""

    cpu_ms: float
    use: RedisUse
    claims: float
    report: Report

    @property
    def rate(self) -> float:
        """Return the calls per second after the burst."""
        called_at = self.report.called_at[_BURST:]
        return (len(called_at) - 1) / (called_at[-1] - called_at[0])


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the figures of one token, and the rate of two."""
    runs = bench.interleave({"one": lambda: drain(bench, TOKENS[:1]), "two": lambda: drain(bench, TOKENS)})
    one, two = runs["one"], runs["two"]
    yield Figure("worker: CPU a survey at the pace", [each.cpu_ms for each in one], "ms", goal="≤ 12 ms")
    yield Figure("Redis commands a survey", [each.use.commands / bench.surveys_due for each in one], goal="≤ 60")
    yield Figure("round trips to Redis a survey", [each.use.round_trips / bench.surveys_due for each in one])
    yield Figure("claims a survey", [each.claims for each in one])
    yield Figure("calls a survey", [each.report.calls / bench.surveys_due for each in one])
    rates = [each.rate for each in one]
    yield Figure("calls, one token of 10/s and a burst of 4", rates, "/s", goal="≥ 9.8 /s")
    yield Figure("calls, two tokens", [each.rate for each in two], "/s", "one token", rates, "≥ 1.95 ×")
    throttled = [10_000 * each.report.throttled / each.report.calls for each in (*one, *two)]
    yield Figure("429 in 10,000 calls", throttled, goal="≤ 1")


def drain(bench: Bench, tokens: Sequence[str]) -> Drain:
    """Let a worker send surveys that are due together."""
    with stand_in() as dixa:
        dixa.set_rate(_RATE)
        server = AfterwordServer(
            bench.new_folder(),
            bench.redis,
            SURVEYS_FILE=bench.surveys(_SOON),
            DIXA_API_URL=dixa.api_url,
            DIXA_API_TOKEN=",".join(tokens),
        )
        server.start("web", "worker")
        try:
            made = list(islice(numbers, bench.surveys_due))
            drive(server.port, (webhook(number, server.port) for number in made), connections=8).require(202)
            server.processes.kill("web")
            with redis.Redis.from_url(server.redis_url, decode_responses=True) as client:
                worker = server.pid_of("worker")
                assert not dixa.counts()["messages"], "a survey was sent before the measurement began"
                before, used = RedisUse.of(client), cpu_seconds(worker)
                eventually(lambda: dixa.counts()["messages"] == len(made))
                used, use = cpu_seconds(worker) - used, RedisUse.of(client) - before
                report = dixa.report()
                assert not report.duplicates, report.duplicates
                return Drain(1000 * used / len(made), use, count_claims(client, made) / len(made), report)
        finally:
            server.stop()


def count_claims(client: redis.Redis, made: Sequence[int]) -> int:
    """Return the claims of all surveys: each has made the fence of its record larger by one."""
    return sum(int(client.hget(f"afterword:survey:{number}", "offer_fence") or 0) for number in made)
