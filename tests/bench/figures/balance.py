"""How evenly the connections of a burst fall to the two processes. They stay there, however busy it is."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import psutil

from tests.bench.bench import SURVEYS, Bench
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer, NaiveGevent, Server
from tests.bench.traffic import webhooks
from tests.processes import count_connections

_BURST, _BURSTS = 32, 60


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the connections of the busier process, for each burst."""
    ours = _count(AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS)))
    theirs = _count(NaiveGevent(bench.new_folder(), bench.redis))
    yield Figure(f"of {_BURST} connections, those of the busier process", ours, "", NaiveGevent.name, theirs)


def _count(server: Server) -> list[float]:
    server.start()
    try:
        processes = psutil.Process(server.pids[0]).children()
        return [_count_busier(server.port, processes) for _ in range(_BURSTS)]
    finally:
        server.stop()


def _count_busier(port: int, processes: list[psutil.Process]) -> float:
    with ExitStack() as stack:
        wires = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(_BURST)]
        for wire, request in zip(wires, webhooks(port, _BURST), strict=True):
            wire.sendall(request)
        for wire in wires:
            assert wire.recv(4096)
        return max(count_connections(each, port) for each in processes)
