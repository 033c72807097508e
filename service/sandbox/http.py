"""The sandbox's HTTP server: Werkzeug's, with the kept-alive connections that a real API has."""

import socket
from io import BytesIO
from threading import Lock, Thread

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

_MOST_BYTES = 1024 * 1024
_BACKLOG = 128


class _Handler(WSGIRequestHandler):
    """Werkzeug's own handler closes every connection after its answer, so that no client ever meets a stale one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _MOST_BYTES or "HTTP_TRANSFER_ENCODING" in environ:
            self.close_connection = True
            self.send_error(413)
            return
        environ["wsgi.input"] = BytesIO(self.rfile.read(length))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log(self, *_: object) -> None:
        """Say nothing: the exchanges are in the state."""


class _Server(ThreadedWSGIServer):
    def __init__(self, host: str, port: int, app: Flask) -> None:
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        # Werkzeug ends the whole process when a port is taken; a socket that is bound already raises OSError here.
        with socket.create_server((host, port), backlog=_BACKLOG) as bound:
            super().__init__(host, port, app, handler=_Handler, fd=bound.fileno())

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client goes away in the middle."""

    def hang_up(self) -> None:
        """Close the connections that clients keep alive: a stopped server answers nobody."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


class HttpServer:
    """An app on a port, in a thread. `port` is known once it is made. Raises OSError when it is taken."""

    def __init__(self, host: str, port: int, app: Flask) -> None:
        self._server = _Server(host, port, app)
        self.port: int = self._server.port
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer nothing any more and free the port."""
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
