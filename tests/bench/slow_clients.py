"""Clients that send one byte a second, half of them in the headers and half in the body, in a process of their own.

`python -m tests.bench.slow_clients PORT COUNT` runs until it is ended. A client that is cut off connects again.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from time import time

from tests.processes import ROOT

_READY = b"ready\n"


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """Run so many slow clients of a server."""
    command = [sys.executable, "-m", __name__, str(port), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == _READY
            yield
        finally:
            process.terminate()


def head(port: int) -> bytes:
    """Return the start of a request like Dixa's webhook."""
    return (
        f"POST /webhooks/dixa HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"X-DIXA-SIGNATURE: t={int(time() * 1000)},v1={'0' * 64}\r\nContent-Length: 5000\r\n\r\n"
    ).encode()


def _run(port: int, count: int) -> None:
    clients = [_begin(port, number) for number in range(count)]
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    while True:
        for number, client in enumerate(clients):
            # Spread over the second: all at once would be a burst.
            Event().wait(1 / count)
            try:
                client.sendall(b"a")
            except OSError:
                client.close()
                clients[number] = _begin(port, number)


def _begin(port: int, number: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(head(port) if number % 2 else head(port)[:20])
    return client


if __name__ == "__main__":
    _run(*map(int, sys.argv[1:]))
