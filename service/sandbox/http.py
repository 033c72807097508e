"""The sandbox's HTTP server: Werkzeug's with keep-alive, like a real API."""

import socket
from contextlib import suppress
from io import BytesIO
from threading import Lock, Thread

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

_MAX_BYTES = 1024 * 1024
_BACKLOG = 128


class _Handler(WSGIRequestHandler):
    """Keeps connections alive. Werkzeug's own handler closes each one, which would hide faults of stale connections."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _MAX_BYTES or "HTTP_TRANSFER_ENCODING" in environ:
            # Its body is not read, so the next request can't be found.
            self.close_connection = True
            self.send_error(413)
            return
        environ["wsgi.input"] = BytesIO(self.rfile.read(length))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"".join(parts))

    def log(self, *_: object) -> None:
        """Log nothing: the exchanges are in the state."""


class HttpServer(ThreadedWSGIServer):
    """Serves an app in a thread. Raises OSError for a used port."""

    def __init__(self, host: str, port: int, app: Flask) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        # For a used port Werkzeug exits the process. Binding the socket here raises OSError instead.
        with socket.create_server((host, port), backlog=_BACKLOG) as bound:
            super().__init__(host, port, app, handler=_Handler, fd=bound.fileno())
        self._thread = Thread(target=self.serve_forever, args=(0.05,), name="sandbox", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, close the connections that clients keep alive, and free the port."""
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Note the connection."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Forget the connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing when a client disconnects."""
