"""Which language a page speaks: `?lang`, else the conversation's, else the browser's, else the brand's."""

from collections.abc import Iterator

from flask import request

from config.languages import find_language
from service.surveys.languages import Language, language
from service.web.mangled import asked


def asked_language() -> str | None:
    """Read the language of the page's own links, which say it in `?lang`."""
    return find_language(asked("lang"))


def choose_language(conversation: str, default: str, chosen: str | None = None) -> Language:
    """Choose for this request. `conversation` is what Dixa says of the customer's language, or nothing.

    `chosen` wins over all others: what a button of the page's form asked for.
    """
    return language(chosen or next(code for code in _wishes(conversation, default) if code))


def _wishes(conversation: str, default: str) -> Iterator[str | None]:
    yield asked_language()
    yield find_language(conversation)
    for wish, quality in request.accept_languages:
        yield find_language(wish) if quality > 0 else None
    yield default
