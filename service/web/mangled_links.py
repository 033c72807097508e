"""Links that were mangled on their way: what a mail program or a sentence glued to them is cut off.

"(see https://…/s/<token>)." becomes a link with a bracket and a full stop. Tokens never end so, and a signature tells
which part is the token. Only a valid token is cut out: any other link leads where it always led, to "not found".
A short link's code is told by its length; `service.web.short_links` finds out where it leads, if anywhere.
Slashes that are too many, on any path, are passed over without a redirect.
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
_UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""The Unicode categories of white space and of characters without width, which break long links into lines."""

_MENDED = "afterword.mended"


class MangledLinks:
    """WSGI middleware: routes a mangled link like the clean one, so that a POST needs no redirect.

    A mail provider's one-click unsubscribe follows none, and a form must not lose its body.
    """

    def __init__(self, app: "WSGIApplication", links: Links) -> None:
        self._app = app
        self._links = links

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request."""
        # WSGI hands over the bytes of a path as Latin-1.
        environ["PATH_INFO"] = raw = "/" + "/".join(filter(None, str(environ.get("PATH_INFO", "")).split("/")))
        path = raw.encode("latin-1", "replace").decode("utf-8", "replace")
        mended = _mend(path, self._links.read)
        if mended:
            path, query = mended
            queries = (str(environ.get("QUERY_STRING", "")), quote(query, safe="=&"))
            environ |= {"PATH_INFO": path, "QUERY_STRING": "&".join(filter(None, queries)), _MENDED: True}
        return self._app(environ, start_response)


def redirect_mangled_link() -> ResponseReturnValue | None:
    """Send who looks at a mangled link to the clean one, with the score and the language that it asks for."""
    if _MENDED not in request.environ or request.method not in {"GET", "HEAD"} or not request.endpoint:
        return None
    values: dict[str, Any] = {name: query_value(name) or None for name in ("r", "lang", "change")}
    return redirect(url_for(request.endpoint, **values, **(request.view_args or {})), 302)


def query_value(name: str) -> str:
    """Return a value of the query without what is glued to it; "" if there is none.

    A mail program that escapes a link twice makes `amp;lang` of the second value's name.
    """
    found = _VALUE.match(request.args.get(name) or request.args.get(f"amp;{name}", ""))
    return found[1] if found else ""


def _mend(path: str, read: Callable[[str], object]) -> tuple[str, str] | None:
    """Return the clean path of a mangled one and the query that was encoded into it; None when there is none."""
    rest = path.removeprefix(_PREFIX)
    if rest == path or is_token(rest.removesuffix(_STOP)) or is_code(rest.removesuffix(_STOP)):
        return None
    for token, tail in _candidates(rest, find_token):
        try:
            read(token)
        except LinkError:
            continue
        return _clean(token, tail)
    return next((_clean(code, tail) for code, tail in _candidates(rest, find_code)), None)


def _clean(token: str, tail: str) -> tuple[str, str]:
    where, _, query = tail.partition("?")
    return f"{_PREFIX}{token}{_STOP if _IS_STOP.search(where) else ''}", query


def _candidates(text: str, find: Callable[[str], tuple[str, str] | None]) -> Iterator[tuple[str, str]]:
    """Find what may be the token or code: as it stands first, then with the line breaks inside it taken out."""
    unbroken = "".join(char for char in text if unicodedata.category(char) not in _UNSEEN)
    for each in dict.fromkeys((text, unbroken)):
        if found := find(each):
            yield found
