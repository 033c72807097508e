"""What other clients notice of slow ones, without a proxy: those of a byte a second, and those that stall a restart."""

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import monotonic, perf_counter

import psutil
import requests

from tests.bench.bench import SURVEYS, Bench
from tests.bench.load import Load, drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer
from tests.bench.slow_clients import head, slow_clients
from tests.bench.traffic import webhooks

_SLOW = 500
_REQUESTS = 50
_LIMIT_SECONDS = 5
_CONNECTIONS, _WEBHOOKS = 8, 1500
_STALLED = 6


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the latency beside slow clients, the responses of a threaded server, and those during a restart."""
    beside: list[Load] = []
    alone: list[Load] = []
    served = 0
    for _ in range(bench.rounds):
        server = _server(bench)
        server.start()
        try:
            alone.append(_drive(server))
            with slow_clients(server.port, _SLOW):
                beside.append(_drive(server))
                served = _count_served(server)
        finally:
            server.stop()
    for name, share, goal in (("p50", 0.5, ""), ("p99", 0.99, "no worse")):
        ours, others = ([load.latency_ms(share) for load in loads] for loads in (beside, alone))
        yield Figure(f"webhook, {name}, beside {_SLOW} slow clients", ours, "ms", "alone", others, goal)
    threads = [_served_by_threads(bench)]
    name = f"of {_REQUESTS} requests beside them, in time"
    yield Figure(name, [served], other="gthread, 2 × 8 threads", other_values=threads)
    took, slowest = _cross_a_restart(bench)
    yield Figure(f"a HUP while {_STALLED} bodies stall: done in", [took], "s")
    yield Figure("a HUP: slowest response to another request", [slowest], "s")


def _server(bench: Bench) -> AfterwordServer:
    return AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS))


def _drive(server: AfterwordServer) -> Load:
    requests = webhooks(server.port, _WEBHOOKS)
    return drive(server.port, requests, connections=_CONNECTIONS).require(202)


def _served_by_threads(bench: Bench) -> int:
    """Count the responses of the same app on threads, beside slow clients."""
    server = _server(bench)
    server.processes._commands["web"] += " --worker-class gthread --threads 8"
    server.start()
    try:
        with slow_clients(server.port, _SLOW):
            return _count_served(server)
    finally:
        server.stop()


def _count_served(server: AfterwordServer) -> int:
    """Send ordinary requests together, and count the responses within the limit."""
    with ThreadPoolExecutor(_REQUESTS) as senders:
        return sum(senders.map(lambda _: _seconds(server.url) is not None, range(_REQUESTS)))


def _cross_a_restart(bench: Bench) -> tuple[float, float]:
    """Replace the workers while bodies stall. Return how long it took, and the slowest response meanwhile."""
    server = _server(bench)
    server.start()
    try:
        gunicorn = psutil.Process(server.pid_of("web"))
        with ExitStack() as stalled:
            for _ in range(_STALLED):
                wire = stalled.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                wire.sendall(head(server.port) + b"{")
            old = gunicorn.children()
            gunicorn.send_signal(signal.SIGHUP)
            began, waits = monotonic(), []
            while any(each.is_running() for each in old):
                waits.append(_seconds(server.url) or _LIMIT_SECONDS)
            return monotonic() - began, max(waits)
    finally:
        server.stop()


def _seconds(url: str) -> float | None:
    began = perf_counter()
    try:
        requests.get(f"{url}/healthz", timeout=_LIMIT_SECONDS)
    except requests.RequestException:
        return None
    return perf_counter() - began
