"""How many webhooks a second are accepted, how long each takes, and what it costs.

All servers get the same webhooks, each of a new conversation. Their workers don't run, so nothing takes their share of
the machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench.bench import SURVEYS, Bench
from tests.bench.costs import cpu_seconds
from tests.bench.load import Load, drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer, BareWebhooks, CommandServer, NaiveGevent, NaiveThreads, Server
from tests.bench.traffic import webhooks

ACCEPTED = "webhooks accepted, 32 connections"
CONNECTIONS, FEW_CONNECTIONS = 32, 8
SECONDS, FEW_SECONDS = 3.0, 1.0
_WARM_UP = 400
_MAX_RATE = 12_000
"""More than any server reaches: so many webhooks are made for each second."""

_OTHERS: Sequence[type[CommandServer]] = (NaiveThreads, NaiveGevent, BareWebhooks)


@dataclass(frozen=True, slots=True)
class Run:
    """One round of a server. `few` are the runs with few connections."""

    load: Load
    cpu_us: float
    few: Sequence[Load]


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the rates against the naive builds, the CPU against the bare server, and the latency."""

    def afterword() -> Run:
        return run(AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS)), few=3)

    def other(server: type[CommandServer]) -> Run:
        return run(server(bench.new_folder(), bench.redis))

    runs = bench.interleave({"Afterword": afterword} | {each.name: partial(other, each) for each in _OTHERS})
    ours = runs.pop("Afterword")
    rates = [each.load.rate for each in ours]
    for name, goal in {NaiveThreads.name: "≥ 2.0 ×", NaiveGevent.name: "≥ 1.3 ×", BareWebhooks.name: ""}.items():
        yield Figure(
            "webhooks accepted, 32 connections", rates, "/s", name, [each.load.rate for each in runs[name]], goal
        )
    for name, goal in {BareWebhooks.name: "≤ 4.5 ×", NaiveGevent.name: ""}.items():
        yield Figure(
            "CPU a webhook", [each.cpu_us for each in ours], "µs", name, [each.cpu_us for each in runs[name]], goal
        )
    name = NaiveGevent.name
    p99 = [each.load.latency_ms(0.99) for each in runs[name]]
    yield Figure(
        "webhook, p99, 32 connections", [each.load.latency_ms(0.99) for each in ours], "ms", name, p99, "≤ 30 ms"
    )
    yield Figure("slowest run / fastest, 32 connections", [min(rates) / max(rates)], goal="≥ 0.5")
    few = [load.rate for each in ours for load in each.few]
    yield Figure("slowest run / fastest, 8 connections", [min(few) / max(few)], goal="≥ 0.5")


def run(server: Server, few: int = 0) -> Run:
    """Start a server, send it webhooks for some seconds, and stop it."""
    server.start()
    try:
        drive(server.port, webhooks(server.port, _WARM_UP), connections=CONNECTIONS)
        requests = webhooks(server.port, int(_MAX_RATE * SECONDS))
        before = cpu_seconds(*server.pids)
        load = drive(server.port, requests, connections=CONNECTIONS, seconds=SECONDS).require(202)
        used = cpu_seconds(*server.pids) - before
        return Run(load, 1e6 * used / len(load.latencies), [_run_few(server) for _ in range(few)])
    finally:
        server.stop()


def _run_few(server: Server) -> Load:
    requests = webhooks(server.port, int(_MAX_RATE * FEW_SECONDS))
    return drive(server.port, requests, connections=FEW_CONNECTIONS, seconds=FEW_SECONDS).require(202)
