"""Reading a page: its text, its tags and its checked fields."""

import re
from html.parser import HTMLParser

from flask import Response

VOID = {"meta", "link", "input", "circle", "path"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{brand}%s'</textarea>"


def html_of(response: Response) -> str:
    return response.get_data(as_text=True)


def text_of(response: Response) -> str:
    """Return the text of a page, without its tags."""
    body = re.sub(r"<style>.*?</style>", "", html_of(response))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def checked(response: Response) -> list[tuple[str | None, str | None]]:
    return [(field["name"], field["value"]) for field in Outline(html_of(response)).of("input") if "checked" in field]


class Outline(HTMLParser):
    """Checks that tags nest, and collects ids, references, controls and headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]
