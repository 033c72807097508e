"""Chooses the language of a page: `?lang`, else the conversation's, the browser's, or the brand's default."""

from functools import lru_cache

from flask import request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from service.surveys.language_codes import find_language
from service.texts.catalog import Language, load_language
from service.web.mangled_links import query_value

_MAX_HEADER_CHARACTERS = 500
"""No browser sends as many. A head has room for 400,000 languages; to parse them takes a worker a second."""


def requested_language() -> str | None:
    """Return the language in `?lang`, if we have it."""
    return find_language(query_value("lang"))


def choose_language(chosen: str | None, conversation: str, default: str) -> Language:
    """Choose the language of this request.

    `chosen` is `requested_language`, or that of a button of the form. `conversation` is the customer's in Dixa, or "".
    """
    return load_language(chosen or find_language(conversation) or _accepted_language() or default)


def _accepted_language() -> str | None:
    return _find_accepted(_cut(request.headers.get("Accept-Language", "")))


def _cut(header: str) -> str:
    """Return the beginning of a very long header."""
    return header if len(header) <= _MAX_HEADER_CHARACTERS else header[:_MAX_HEADER_CHARACTERS].rpartition(",")[0]


@lru_cache(maxsize=1000)
def _find_accepted(header: str) -> str | None:
    """Return the best of the browser's languages that we have."""
    accepted = (find_language(code) for code, quality in parse_accept_header(header, LanguageAccept) if quality > 0)
    return next(filter(None, accepted), None)
