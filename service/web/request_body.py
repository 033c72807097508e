"""A request's body: whole, in time and in few pieces, or not at all. All endpoints that take one read it here."""

from collections.abc import Callable, Iterator

import gevent  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import ClientDisconnected, LengthRequired, RequestEntityTooLarge, RequestTimeout
from werkzeug.wrappers import Request

BODY_SECONDS = 10
MAX_PIECES = 2048
"""Of a chunked body. A chunk is one or two pieces, so those of the largest webhook may be as small as 256 bytes."""


def read_body(incoming: Request, largest: int) -> bytes:
    """Read the body, of at most `largest` bytes.

    Raises RequestEntityTooLarge; RequestTimeout if it takes too long, however it drips; LengthRequired if it comes in
    very many pieces; ClientDisconnected (a 400) if it broke off or is badly chunked: half a form must not be taken for
    a whole one.
    """
    # Werkzeug cuts a chunked body off at the limit without a word, so the limit lies a byte further.
    incoming.max_content_length = largest + 1
    _limit_chunks(incoming, largest)
    try:
        # A greenlet that waits for bytes is interrupted. A socket's own timeout would begin anew with each byte.
        with gevent.Timeout(BODY_SECONDS, _too_slow()):
            raw = incoming.get_data(parse_form_data=False)
    except TimeoutError:
        raise _too_slow() from None
    except (ParseException, OSError) as error:
        # This is how gunicorn tells of bad chunks, and of clients that went away.
        raise ClientDisconnected("The body can't be read.") from error
    if len(raw) > largest:
        raise RequestEntityTooLarge
    if incoming.content_length not in (None, len(raw)):
        raise ClientDisconnected("The body is shorter than its Content-Length.")
    return raw


def read_start(incoming: Request, most: int) -> bytes:
    """Read the first bytes of a body that `read_body` found too large: none if it had to be read to find that."""
    if incoming.content_length is None:
        return b""
    try:
        with gevent.Timeout(BODY_SECONDS, _too_slow()):
            return bytes(incoming.environ["wsgi.input"].read(most))
    except (ParseException, OSError):
        return b""


def _too_slow() -> RequestTimeout:
    return RequestTimeout(f"The body took longer than {BODY_SECONDS} seconds.")


def _limit_chunks(incoming: Request, largest: int) -> None:
    """Let gunicorn's reader give up at too many chunks, or long ones of few bytes: it is written in Python."""
    reader = getattr(incoming.environ["wsgi.input"], "reader", None)
    if isinstance(reader, ChunkedReader) and reader.parser:
        reader.parser = _at_most(MAX_PIECES, reader.parser)
        source = reader.req.unreader
        # What frames the chunks may be as much as what is in them.
        source.chunk = _at_most_bytes(2 * largest, source.chunk)


def _at_most(count: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces, start=1):
        if number > count:
            raise _too_many_chunks()
        yield piece


def _at_most_bytes(most: int, read: Callable[..., bytes]) -> Callable[..., bytes]:
    left = most

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
