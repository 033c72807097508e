"""Converts a message to text and links for a page. No markup of the sender remains."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from service.sandbox.dixa.model import Message

_LINK = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_BLOCKS = {"p", "br", "div", "li", "tr", "h1", "h2", "h3", "table"}
_HIDDEN = {"style", "script", "head", "title"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, and its http or https URL if it is a link."""

    text: str
    href: str | None = None


def segments(message: Message) -> list[Segment]:
    """Split a message into text and links."""
    if message.format != "Html":
        return list(_linked(message.value))
    reader = _Reader()
    reader.feed(message.value)
    reader.close()
    return reader.segments()


def snippet(message: Message) -> str:
    """Return the beginning of a message in one line, for a list."""
    return " ".join("".join(segment.text for segment in segments(message)).split())[:140]


def _linked(text: str) -> Iterator[Segment]:
    end = 0
    for found in _LINK.finditer(text):
        href = found.group().rstrip(".,;:!?)")
        if found.start() > end:
            yield Segment(text[end : found.start()])
        yield Segment(href, href)
        end = found.start() + len(href)
    if end < len(text):
        yield Segment(text[end:])


class _Reader(HTMLParser):
    """Collects the visible text of HTML, with the URLs of its links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[Segment] = []
        self._href: str | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and _LINK.fullmatch(href):
            self._href = href
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS and self._found and not self._found[-1].text.endswith("\n"):
            self._found.append(Segment("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None
        self._hidden -= tag in _HIDDEN and self._hidden > 0
        if tag == "p":
            self._found.append(Segment("\n"))

    def handle_data(self, data: str) -> None:
        text = re.sub(r"\s+", " ", data)
        if self._hidden or (text == " " and (not self._found or self._found[-1].text.endswith("\n"))):
            return
        self._found.extend([Segment(text, self._href)] if self._href else _linked(text))

    def segments(self) -> list[Segment]:
        while self._found and self._found[-1].text == "\n":
            self._found.pop()
        return self._found
