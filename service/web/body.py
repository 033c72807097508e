"""A request's body, whole or not at all. Both endpoints that take one read it here."""

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request


def read_body(incoming: Request, largest: int) -> bytes:
    """Read the body, of at most `largest` bytes.

    Raises RequestEntityTooLarge, or ClientDisconnected (a 400) for a body that broke off or is badly chunked: half a
    form must not be taken for a whole one.
    """
    # Werkzeug cuts a chunked body off at the limit without a word, so the limit lies a byte further.
    incoming.max_content_length = largest + 1
    try:
        raw = incoming.get_data(parse_form_data=False)
    except (ParseException, OSError) as error:
        # This is how gunicorn tells of bad chunks, and of clients that went away.
        raise ClientDisconnected("The body can't be read.") from error
    if len(raw) > largest:
        raise RequestEntityTooLarge
    if incoming.content_length not in (None, len(raw)):
        raise ClientDisconnected("The body is shorter than its Content-Length.")
    return raw


def read_start(incoming: Request, most: int) -> bytes:
    """Read the first bytes of a body that `read_body` found too large: whatever of them comes."""
    try:
        return bytes(incoming.environ["wsgi.input"].read(most))
    except (ParseException, OSError):
        return b""
