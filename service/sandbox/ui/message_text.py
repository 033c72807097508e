"""Converts a message to text and links for a page. No markup of the sender remains."""

import re
from html.parser import HTMLParser

from jinja2.utils import urlize
from markupsafe import Markup

from service.sandbox.dixa.model import Message

_BLOCKS = {"p", "br", "div", "li", "tr", "h1", "h2", "h3", "table"}
_HIDDEN = {"style", "script", "head", "title"}
_LINK = Markup('<a href="{}" rel="noopener noreferrer" target="_blank">{}</a>')


def readable(message: Message) -> Markup:
    """Return a message as text with links."""
    if message.format != "Html":
        return _linked(message.value)
    reader = _Reader()
    reader.feed(message.value)
    reader.close()
    return reader.shown.strip()


def snippet(message: Message) -> str:
    """Return the beginning of a message in one line, for a list."""
    return readable(message).striptags()[:140]


def _linked(text: str) -> Markup:
    return Markup(urlize(text, rel="noopener noreferrer", target="_blank"))  # noqa: S704 - it escapes the text


class _Reader(HTMLParser):
    """Collects the visible text of HTML with its http and https links."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = Markup()
        self._href: str | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.startswith(("http://", "https://")):
            self._href = href
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS and not self.shown.endswith("\n"):
            self.shown += "\n"

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None
        self._hidden -= tag in _HIDDEN and self._hidden > 0
        if tag == "p":
            self.shown += "\n"

    def handle_data(self, data: str) -> None:
        text = re.sub(r"\s+", " ", data)
        if not self._hidden and not (text == " " and self.shown.endswith("\n")):
            self.shown += _LINK.format(self._href, text) if self._href else _linked(text)
