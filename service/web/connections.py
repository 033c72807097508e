"""gunicorn's gevent worker, with a time limit for each wait for a client.

Without it gunicorn waits for ever for a client to read its response. It also reads the rest of a body, of any
length, to reuse the connection for the next request.
"""

import socket
from contextlib import suppress
from typing import Any

import gevent  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.workers import ggevent  # type: ignore[import-untyped]

from service.web import connection_balance, gunicorn_hooks

CLIENT_SECONDS = 10
"""The limit of one read or write. A whole body has its own limit (`service.web.request_body`)."""

LINGER_SECONDS = 2
HANDOVER_SECONDS = 10
_PIECE = 64 * 1024


# gunicorn has no setting for it.
ggevent.StreamServer = connection_balance.Server


class Worker(ggevent.GeventWorker):  # type: ignore[misc]
    """The `worker_class` of gunicorn.conf.py."""

    slot: int | None = None

    def init_process(self) -> None:
        """Serve until the end of the process."""
        connection_balance.Server.slot = self.slot
        super().init_process()

    def handle(self, listener: Any, client: socket.socket, address: Any) -> None:
        """Handle a connection."""
        connection_balance.count(self.slot, 1)
        try:
            super().handle(listener, client, address)
        finally:
            connection_balance.count(self.slot, -1)

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, address: Any) -> None:
        """Handle a request. One whose body isn't read before the response is the last one of its connection."""
        client.settimeout(CLIENT_SECONDS)
        if _has_more(request.body):
            _close_unless_read(request)
        try:
            super().handle_request(listener_name, request, client, address)
        except TimeoutError:
            # The client doesn't read its response. gunicorn closes the connection on StopIteration.
            raise StopIteration from None
        finally:
            if _has_more(request.body):
                _linger(client)
            # A client that pipelines requests always has the next one ready, so the greenlet would never wait and would
            # keep the worker from all others. This lets them run.
            gevent.sleep()

    def handle_exit(self, signal: int, frame: Any) -> None:
        """Handle SIGTERM. After a HUP, serve until the new children are ready: no request meets a gap."""
        gevent.spawn(self._hand_over, signal, frame)

    def _hand_over(self, signal: int, frame: Any) -> None:
        with gevent.Timeout(HANDOVER_SECONDS, exception=False):
            while gunicorn_hooks.are_children_pending():
                gevent.sleep(0.1)
        super().handle_exit(signal, frame)


def _has_more(body: Any) -> bool:
    """Return whether a body may have unread bytes."""
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(reader.length)
    return not isinstance(reader, ChunkedReader) or reader.parser is not None


def _close_unless_read(request: Any) -> None:
    """Let gunicorn close the connection if, at the head of the response, a part of the body is unread."""
    should_close = request.should_close

    def close_unless_read() -> bool:
        if _has_more(request.body):
            request.force_close()
        return bool(should_close())

    request.should_close = close_unless_read


def _linger(client: socket.socket) -> None:
    """Read and discard the rest of a body for LINGER_SECONDS.

    Closing a socket with unread bytes makes TCP reset the connection, and the client may lose our response.
    """
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, exception=False):
        client.shutdown(socket.SHUT_WR)
        while client.recv(_PIECE):
            # A fast sender never lets `recv` wait. Without this neither other greenlets nor the timeout would run.
            gevent.sleep()
