"""A load generator: one process, plain sockets and epoll, a closed loop on connections that stay open.

Each connection sends its next request as soon as the response to its last one has arrived.
"""

import select
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

_HOST = "127.0.0.1"
_STALLED_SECONDS = 60
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """The responses of one run. `latencies` are sorted and in seconds. `reconnects`: the server closed a connection."""

    seconds: float
    latencies: Sequence[float]
    statuses: Counter[int]
    reconnects: int

    @property
    def rate(self) -> float:
        """Return the responses per second."""
        return len(self.latencies) / self.seconds

    def latency_ms(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the responses kept."""
        return 1000 * self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]

    def require(self, status: int) -> "Load":
        """Raise AssertionError unless every response has this status."""
        assert set(self.statuses) == {status}, f"responses by status: {dict(self.statuses)}, not {status} alone"
        return self

    def __str__(self) -> str:
        each = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        latencies = ", ".join(f"{name} {self.latency_ms(share):.1f}" for name, share in _SHARES.items())
        return f"{self.rate:,.0f}/s; {latencies} ms; {each}; {self.reconnects} reconnects"


_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def drive(port: int, requests: Iterable[bytes], *, connections: int, seconds: float = 3600) -> Load:
    """Send the requests until there are no more, or for this time."""
    return _Drive(port, iter(requests), seconds).run(connections)


class _Connection:
    """A socket with the request that it waits for."""

    __slots__ = ("began", "received", "request", "socket")

    def __init__(self, wire: socket.socket, request: bytes) -> None:
        self.socket = wire
        self.request = request
        self.received = b""
        self.began = 0.0


class _Drive:
    def __init__(self, port: int, requests: Iterator[bytes], seconds: float) -> None:
        self._address = (_HOST, port)
        self._requests = requests
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._latencies: list[float] = []
        self._statuses: Counter[bytes] = Counter()
        self._reconnects = 0
        self._ends_at = perf_counter() + seconds

    def run(self, connections: int) -> Load:
        began = perf_counter()
        for _, request in zip(range(connections), self._requests, strict=False):
            self._connect(request)
        while self._open:
            events = self._poll.poll(_STALLED_SECONDS)
            assert events, f"no response within {_STALLED_SECONDS} s"
            for handle, _ in events:
                self._receive(self._open[handle])
        seconds = perf_counter() - began
        self._poll.close()
        statuses = Counter({int(status): count for status, count in self._statuses.items()})
        return Load(seconds, sorted(self._latencies), statuses, self._reconnects)

    def _connect(self, request: bytes, began: float | None = None) -> None:
        wire = socket.socket()
        wire.connect(self._address)
        connection = self._open[wire.fileno()] = _Connection(wire, request)
        self._poll.register(wire, select.EPOLLIN)
        connection.began = perf_counter() if began is None else began
        wire.sendall(request)

    def _close(self, connection: _Connection) -> None:
        # Closing takes it out of the poll, too.
        del self._open[connection.socket.fileno()]
        connection.socket.close()

    def _receive(self, connection: _Connection) -> None:
        try:
            piece = connection.socket.recv(_PIECE)
        except ConnectionResetError:
            piece = b""
        if not piece:
            # The server closed an idle connection at the moment of the request: send it again, in the same time.
            self._reconnects += 1
            self._close(connection)
            self._connect(connection.request, connection.began)
            return
        received = connection.received = connection.received + piece
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = received[:head_end].lower()
        if _is_whole(head, received, head_end + 4):
            self._latencies.append(perf_counter() - connection.began)
            self._statuses[head[9:12]] += 1
            self._send_next(connection, is_closed=b"connection: close" in head)

    def _send_next(self, connection: _Connection, *, is_closed: bool) -> None:
        now = perf_counter()
        request = next(self._requests, None) if now < self._ends_at else None
        if is_closed or request is None:
            self._close(connection)
            if request is not None:
                self._reconnects += 1
                self._connect(request, now)
            return
        connection.request, connection.received, connection.began = request, b"", now
        connection.socket.sendall(request)


def _is_whole(head: bytes, received: bytes, body_begin: int) -> bool:
    """Return whether the body has arrived: by its length, or by its last chunk."""
    at = head.find(b"content-length:")
    if at >= 0:
        end = head.find(b"\r", at)
        return len(received) - body_begin >= int(head[at + 15 : end if end >= 0 else None])
    return b"transfer-encoding: chunked" not in head or received.endswith(b"0\r\n\r\n")
