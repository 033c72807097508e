"""How connections begin and end: gunicorn's gevent worker, with a limit to each wait for a client.

gunicorn alone waits for ever for a client that has stopped reading. It also reads the rest of a body, however long that
is, to keep the connection for a next request.
"""

import socket
from contextlib import suppress
from typing import Any

import gevent  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from service.web import gunicorn_hooks

CLIENT_SECONDS = 10
"""How long one read or write may take. A body as a whole has a limit of its own (`service.web.request_body`)."""

LINGER_SECONDS = 2
HANDOVER_SECONDS = 10
_PIECE = 64 * 1024


class Worker(GeventWorker):  # type: ignore[misc]
    """The worker that gunicorn.conf.py names."""

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, address: Any) -> None:
        """Answer a request. One that has a body is the last one of its connection."""
        client.settimeout(CLIENT_SECONDS)
        if _has_more(request.body):
            request.force_close()
        try:
            super().handle_request(listener_name, request, client, address)
        except TimeoutError:
            # Who doesn't read isn't answered; this is how gunicorn is told to close.
            raise StopIteration from None
        finally:
            if _has_more(request.body):
                _linger(client)
            # Who sends one request after the other, without waiting for answers, would keep the worker for good.
            gevent.sleep()

    def handle_exit(self, signal: int, frame: Any) -> None:
        """End, on a SIGTERM; after a HUP only when all those are ready that take over."""
        gevent.spawn(self._hand_over, signal, frame)

    def _hand_over(self, signal: int, frame: Any) -> None:
        with gevent.Timeout(HANDOVER_SECONDS, exception=False):
            while gunicorn_hooks.are_children_awaited():
                gevent.sleep(0.1)
        super().handle_exit(signal, frame)


def _has_more(body: Any) -> bool:
    """Return whether there may be more of a body than was read."""
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(reader.length)
    return not isinstance(reader, ChunkedReader) or reader.parser is not None


def _linger(client: socket.socket) -> None:
    """Throw away what still comes of a body, for a moment.

    To close a socket that holds unread bytes resets the connection, and the client may lose our answer by that.
    """
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, exception=False):
        client.shutdown(socket.SHUT_WR)
        while client.recv(_PIECE):
            # Who sends fast is not to keep the worker from others, nor from this deadline.
            gevent.sleep()
