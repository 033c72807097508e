"""Which language a page speaks: `?lang`, else the conversation's, else the browser's, else the brand's."""

from collections.abc import Iterator

from flask import request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from service.surveys.language_codes import find_language
from service.texts.catalog import Language, load_language
from service.web.mangled_links import query_value

_LONGEST_WISHES = 500
"""No browser sends as much. Each wish costs, and a head has room for 400,000, of whoever it is."""


def requested_language() -> str | None:
    """Read the language of the page's own links, which say it in `?lang`."""
    return find_language(query_value("lang"))


def choose_language(conversation: str, default: str, chosen: str | None = None) -> Language:
    """Choose for this request. `conversation` is what Dixa says of the customer's language, or nothing.

    `chosen` wins over all others: what a button of the page's form asked for.
    """
    return load_language(chosen or next(code for code in _wishes(conversation, default) if code))


def _wishes(conversation: str, default: str) -> Iterator[str | None]:
    yield requested_language()
    yield find_language(conversation)
    for wish, quality in _accepted(request.headers.get("Accept-Language", "")):
        yield find_language(wish) if quality > 0 else None
    yield default


def _accepted(header: str) -> LanguageAccept:
    """Read what the browser speaks, best first: no more than the beginning of a very long header, in whole wishes."""
    if len(header) > _LONGEST_WISHES:
        header = header[:_LONGEST_WISHES].rpartition(",")[0]
    return parse_accept_header(header, LanguageAccept)
