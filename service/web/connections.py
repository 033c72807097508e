"""How a connection ends whose request has a body. gunicorn.conf.py hands these functions to gunicorn.

By itself gunicorn reads what a view has left of a body, whatever that costs, to answer a next request behind it.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import gevent  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader, LengthReader  # type: ignore[import-untyped]

LINGER_SECONDS = 2
_PIECE = 64 * 1024


def end_with_body(_worker: Any, request: Any) -> None:
    """Let a request that has a body be the last one of its connection. To be called before it is answered."""
    if _has_more(request.body):
        request.force_close()


def linger(_worker: Any, request: Any, environ: Mapping[str, Any], _response: Any) -> None:
    """Throw away what still comes of a body, for a moment. To be called after the request is answered.

    To close a socket that holds unread bytes resets the connection, and the client may lose our answer by that.
    """
    if "gunicorn.socket" not in environ or not _has_more(request.body):
        return
    client: socket.socket = environ["gunicorn.socket"]
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, exception=False):
        client.shutdown(socket.SHUT_WR)
        while client.recv(_PIECE):
            # Who sends fast is not to keep the worker from others, nor from this deadline.
            gevent.sleep()


def _has_more(body: Any) -> bool:
    """Return whether there may be more of a body than was read."""
    reader = body.reader
    if isinstance(reader, LengthReader):
        return bool(reader.length)
    return not isinstance(reader, ChunkedReader) or reader.parser is not None
