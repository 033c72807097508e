"""Reads the body of a request: whole and in time, or not at all. Each endpoint with a body uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import ClientDisconnected, LengthRequired, RequestEntityTooLarge, RequestTimeout
from werkzeug.wrappers import Request

BODY_SECONDS = 10
MAX_PIECES = 2048
"""The limit of a chunked body. gunicorn yields a chunk in one or two pieces. The chunks of the largest webhook may be
as small as 256 bytes."""


class _TooSlow(RequestTimeout):
    description = f"The body took longer than {BODY_SECONDS} seconds."


def read_body(incoming: Request, max_bytes: int) -> bytes:
    """Read the body.

    Raises RequestEntityTooLarge; RequestTimeout after BODY_SECONDS in all; LengthRequired if it has too many chunks;
    ClientDisconnected (400) if it is incomplete or badly chunked: half a form must not be taken for a whole one.
    """
    # Werkzeug silently truncates a chunked body at its limit. With one byte more, a body over our limit shows.
    incoming.max_content_length = max_bytes + 1
    try:
        # gevent.Timeout interrupts the greenlet wherever it waits. A socket timeout would start anew with each byte.
        with _limited_chunks(incoming, max_bytes), gevent.Timeout(BODY_SECONDS, _TooSlow):
            raw = incoming.get_data(parse_form_data=False)
    except TimeoutError:
        raise _TooSlow from None
    except (ParseException, OSError) as error:
        # gunicorn raises these for bad chunks and for disconnected clients.
        raise ClientDisconnected("The body can't be read.") from error
    if len(raw) > max_bytes:
        raise RequestEntityTooLarge
    if incoming.content_length not in (None, len(raw)):
        raise ClientDisconnected("The body is shorter than its Content-Length.")
    return raw


def read_start(incoming: Request, max_bytes: int) -> bytes:
    """Read the first bytes of a body with too large a Content-Length. A chunked body has been consumed: b""."""
    if incoming.content_length is None:
        return b""
    try:
        with gevent.Timeout(BODY_SECONDS, _TooSlow):
            return bytes(incoming.environ["wsgi.input"].read(max_bytes))
    except (ParseException, OSError):
        return b""


@contextmanager
def _limited_chunks(incoming: Request, max_bytes: int) -> Iterator[None]:
    """Limit the number of chunks and the bytes around them, in this request alone.

    gunicorn parses chunks in Python: a body of one-byte chunks would keep the worker, and all others waiting.
    """
    reader = getattr(incoming.environ["wsgi.input"], "reader", None)
    if not isinstance(reader, ChunkedReader) or not reader.parser:
        yield
        return
    reader.parser = _at_most(MAX_PIECES, reader.parser)
    # The connection's own, which reads its next request, too.
    source = reader.req.unreader
    unlimited = source.chunk
    # Chunk headers and extensions may take as many bytes as the data.
    source.chunk = _at_most_bytes(2 * max_bytes, unlimited)
    try:
        yield
    finally:
        source.chunk = unlimited


def _at_most(count: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces, start=1):
        if number > count:
            raise _too_many_chunks()
        yield piece


def _at_most_bytes(max_bytes: int, read: Callable[..., bytes]) -> Callable[..., bytes]:
    left = max_bytes

    def read_some(size_hint: int | None = None) -> bytes:
        nonlocal left
        raw = read(size_hint)
        left -= len(raw)
        if left < 0:
            raise _too_many_chunks()
        return raw

    return read_some


def _too_many_chunks() -> LengthRequired:
    return LengthRequired("The body comes in too many chunks. Send it with a Content-Length.")
