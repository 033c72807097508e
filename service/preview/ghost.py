"""Makes a frame as tall as its page, without JavaScript: an unseen copy of the page, behind the frame, has its height.

HTML can't size a frame by what is in it. So the page is also written into a shadow root of the document around, where
its style sheet holds for nothing else, and the frame covers it. What depends on the width of the window depends on the
width of that box there: `@container` for `@media`, `cqi` for `vw`.
"""

import re
from importlib.resources import files

from markupsafe import Markup, escape

_BASE = ":host{all:initial;display:block;container-type:inline-size}"
_TEXT = "pre{margin:13px 8px;font:13px monospace;white-space:pre-wrap;overflow-wrap:break-word}"
"""How browsers show plain text."""

_WIDTHS = re.compile(r"@media\s*((?:\((?:min|max)-width:[^)]*\)(?: and )?)+)(?=\s*\{)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
"""What is for Outlook alone."""
_SHEET = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def ghost_of(html: str) -> Markup:
    """Write the unseen copy of a page that we have made; it can't be reached by keyboard or read aloud."""
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
        f'<div class="ghost"{attributes} aria-hidden="true" inert><template shadowrootmode="open">'
        f"<style>{_BASE}{sheet}</style>{body}</template></div>"
    )


def _boxed(sheet: str) -> str:
    """Make a document's style sheet one of a box in another document."""
    sheet = re.sub(r"(?<![\w.#-])(?::root|html)(?![\w-])", ":host", sheet)
    sheet = re.sub(r"(?<![\w.#-])body(?![\w-])", ".body", sheet)
    sheet = re.sub(r"(?<=\d)vw\b", "cqi", sheet)
    return _WIDTHS.sub(r"@container \1", sheet)
