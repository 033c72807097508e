"""A server for any bytes at any speed, for responses the sandbox never gives."""

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Self


class RawServer:
    """Sends `parts` to each client, with a pause after each, and closes. `requests` are their requests."""

    def __init__(self, parts: Iterable[bytes], pause: float = 0.0, context: ssl.SSLContext | None = None) -> None:
        self._parts = list(parts)
        self._pause = pause
        self._context = context
        self._stopping = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = Thread(target=self._run, daemon=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}/beta"
        self.requests: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        # `close` alone does not wake a thread in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), self._encrypted(connection) as encrypted:
                self.requests.append(encrypted.recv(65_536))
                self._respond(encrypted)

    def _encrypted(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(connection, server_side=True) if self._context else connection

    def _respond(self, connection: socket.socket) -> None:
        for part in self._parts:
            connection.sendall(part)
            if self._pause and self._stopping.wait(self._pause):
                return
        connection.shutdown(socket.SHUT_WR)
        # Closing with unread data would reset the connection before the client has read everything.
        connection.settimeout(1)
        while connection.recv(65_536):
            pass


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return a whole HTTP response. It ends the connection."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body
