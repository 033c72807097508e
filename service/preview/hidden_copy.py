"""Makes each frame as tall as its page, without JavaScript, by a hidden copy of the page behind the frame.

HTML can't size a frame by its content. So the page is also written into a shadow root of the outer document. There
its style sheet applies to nothing else, and the frame covers it. The copy has no window of its own: `@container`
replaces `@media`, and `cqi` replaces `vw`.
"""

import re
from importlib.resources import files

from markupsafe import Markup, escape

_BASE = ":host{all:initial;display:block;container-type:inline-size}"
_TEXT = "pre{margin:13px 8px;font:13px monospace;white-space:pre-wrap;overflow-wrap:break-word}"
"""A browser's style of plain text."""

_WIDTHS = re.compile(r"@media\s*((?:\((?:min|max)-width:[^)]*\)(?: and )?)+)(?=\s*\{)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
"""Conditional comments for Outlook."""
_SHEET = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def hidden_copy_of(html: str) -> Markup:
    """Return the hidden copy of one of our pages. Neither keyboards nor screen readers reach it."""
    html = _COMMENT.sub("", html)
    page = re.search(r"<html([^>]*)>.*<body([^>]*)>(.*)</body>", html, re.DOTALL)
    if page is None:
        return _hidden("", _TEXT, f"<pre>{escape(html)}</pre>")
    attributes, of_body, inside = page.groups()
    own = files("service.preview").joinpath("static/preview.css").read_text(encoding="utf-8")
    sheet = "".join(_SHEET.findall(html)) or own
    named = re.search(r'\bclass="?([^">]*)', of_body)
    style = re.search(r'\bstyle="[^"]*"', of_body)
    body = f'<div class="body {named[1] if named else ""}" {style[0] if style else ""}>{inside}</div>'
    return _hidden(attributes, _boxed(sheet), body.replace(" autofocus", ""))


def _hidden(attributes: str, sheet: str, body: str) -> Markup:
    return Markup(  # noqa: S704 - the templates that made it have escaped what isn't ours
        f'<div class="hidden-copy"{attributes} aria-hidden="true" inert><template shadowrootmode="open">'
        f"<style>{_BASE}{sheet}</style>{body}</template></div>"
    )


def _boxed(sheet: str) -> str:
    """Rewrite a document's style sheet for a box in another document."""
    sheet = re.sub(r"(?<![\w.#-])(?::root|html)(?![\w-])", ":host", sheet)
    sheet = re.sub(r"(?<![\w.#-])body(?![\w-])", ".body", sheet)
    sheet = re.sub(r"(?<=\d)vw\b", "cqi", sheet)
    return _WIDTHS.sub(r"@container \1", sheet)
