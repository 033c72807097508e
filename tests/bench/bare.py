"""The bare server: the same gunicorn and worker class, with a constant response of the same size.

What Afterword takes longer is its own doing.
"""

from collections.abc import Callable, Iterable
from typing import Any

Start = Callable[[str, list[tuple[str, str]]], object]
_ACCEPTED = b'{"status":"accepted"}\n'
_PAGE = b"<!doctype html>" + b"<p>A page of its size.</p>\n" * 1000


def webhook(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Read the body, as every server must, and accept it."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("202 ACCEPTED", [("Content-Type", "application/json"), ("Content-Length", str(len(_ACCEPTED)))])
    return [_ACCEPTED]


def page(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Respond with a page of as many bytes as the path says."""
    body = _PAGE[: int(environ["PATH_INFO"].rpartition("/")[2] or 0)]
    start("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
