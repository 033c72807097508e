"""Accepts links mangled by a mail program or a sentence, by cutting off the added characters.

"(see https://…/s/<token>)." becomes a link with a bracket and a full stop at its end. Only a valid signature shows the
end of the token, so only valid tokens are cut out; any other link is not found. A short link's code has a fixed length;
`service.web.short_links` looks up its target. Superfluous slashes are dropped on every path, without a redirect.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.records.short_links import find_code, is_code
from service.surveys.links import LinkError, Links, find_token, is_token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PREFIX = "/s/"
_STOP = "/stop"
_IS_STOP = re.compile(r"(?:/|%2f)[^a-z0-9]*stop(?![a-z0-9])", re.IGNORECASE)
_VALUE = re.compile(r"[^\w.,+-]*([A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*)(?![-_]*[A-Za-z0-9]|\d|[.,]\d)")
_INVISIBLE = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""Unicode categories of white space and zero-width characters. Mail programs break long links with them."""

_CLEANED = "afterword.cleaned_link"


class MangledLinks:
    """WSGI middleware: routes a mangled link like the clean one.

    A redirect would lose a form's body, and a mail provider's one-click unsubscribe follows none.
    """

    def __init__(self, app: "WSGIApplication", links: Links) -> None:
        self._app = app
        self._links = links

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle a request."""
        # WSGI passes the bytes of a path as Latin-1 (PEP 3333).
        environ["PATH_INFO"] = raw = "/" + "/".join(filter(None, str(environ.get("PATH_INFO", "")).split("/")))
        path = raw.encode("latin-1", "replace").decode("utf-8", "replace")
        cleaned = _clean_path(path, self._links.read)
        if cleaned:
            path, query = cleaned
            queries = (str(environ.get("QUERY_STRING", "")), quote(query, safe="=&"))
            environ |= {"PATH_INFO": path, "QUERY_STRING": "&".join(filter(None, queries)), _CLEANED: True}
        return self._app(environ, start_response)


def redirect_mangled_link() -> ResponseReturnValue | None:
    """Redirect a GET of a mangled link to the clean one, with its score and language."""
    if _CLEANED not in request.environ or request.method not in {"GET", "HEAD"} or not request.endpoint:
        return None
    values: dict[str, Any] = {name: query_value(name) or None for name in ("r", "lang", "change")}
    return redirect(url_for(request.endpoint, **values, **(request.view_args or {})), 302)


def query_value(name: str) -> str:
    """Return a value of the query without added characters, or "".

    A mail program that escapes "&" twice makes `amp;lang` of the name of the second value.
    """
    values = request.args
    found = _VALUE.match(values.get(name) or values.get(f"amp;{name}", "")) if values else None
    return found[1] if found else ""


def _clean_path(path: str, read: Callable[[str], object]) -> tuple[str, str] | None:
    """Return the clean path of a mangled one, and the query encoded into it. None if the path isn't mangled."""
    rest = path.removeprefix(_PREFIX)
    if rest == path or is_token(rest.removesuffix(_STOP)) or is_code(rest.removesuffix(_STOP)):
        return None
    for token, tail in _candidates(rest, find_token):
        try:
            read(token)
        except LinkError:
            continue
        return _path_and_query(token, tail)
    return next((_path_and_query(code, tail) for code, tail in _candidates(rest, find_code)), None)


def _path_and_query(token: str, tail: str) -> tuple[str, str]:
    where, _, query = tail.partition("?")
    return f"{_PREFIX}{token}{_STOP if _IS_STOP.search(where) else ''}", query


def _candidates(text: str, find: Callable[[str], tuple[str, str] | None]) -> Iterator[tuple[str, str]]:
    """Yield candidates for the token or code: first as it is, then without line breaks inside it."""
    unbroken = "".join(char for char in text if unicodedata.category(char) not in _INVISIBLE)
    for each in dict.fromkeys((text, unbroken)):
        if found := find(each):
            yield found
