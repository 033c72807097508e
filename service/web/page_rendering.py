"""Renders a template as a page with its style sheet and policy, and responds with it.

The functions need an application context, as `flask.render_template` does.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Self

from flask import Response, render_template
from markupsafe import Markup, escape

from service.surveys.language_codes import LANGUAGES
from service.surveys.theme import Theme
from service.texts.catalog import Language
from service.web import forms, page_texts
from service.web.security_headers import page_policy
from service.web.stylesheet import stylesheet_for

_LINE_ENDS = re.compile(r">\n+<(?!/textarea)")
"""Line breaks between tags: readable in a template, wasted bytes in a page."""

_WHOLE = re.compile(r"\S+(?:\N{NO-BREAK SPACE}\S+)+")
"""A date, or a number with its unit, as `Language` formats them: joined by no-break spaces."""


def render_page(template: str, language: Language, status: int, theme: Theme, **facts: Any) -> Response:
    """Render a page with its style sheet."""
    return respond(render(template, language, theme, **facts), status, language)


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page and its Content-Security-Policy."""

    html: bytes
    policy: str

    def with_text(self, place: str, text: str) -> Self:
        """Return the page with another text at a place that occurs once."""
        return replace(self, html=self.html.replace(place.encode(), escape(text).encode(), 1))


def respond(page: Page, status: int, language: Language) -> Response:
    """Respond with a rendered page."""
    headers = {"Content-Language": language.code, "Content-Security-Policy": page.policy}
    return Response(page.html, status, headers, content_type="text/html; charset=utf-8")


def render(template: str, language: Language, theme: Theme, *, typed: bool = False, **facts: Any) -> Page:
    """Render a page. With `typed` the languages are buttons of the form, not links: they keep typed text."""
    html = render_template(
        template,
        _=language.translate,
        language=language,
        languages=LANGUAGES,
        theme=theme,
        most=language.format_number(page_texts.MAX_COMMENT_CHARACTERS),
        words=page_texts,
        forms=forms,
        typed=typed,
        whole=_keep_whole,
        **facts,
    )
    html = _LINE_ENDS.sub("><", html)
    sheet = stylesheet_for(html, theme)
    html = html.replace("<style></style>", f"<style>{sheet}</style>", 1)
    return Page(html.encode(), page_policy(sheet))


def _keep_whole(text: str) -> Markup:
    """Escape a text and put each date or number in a <span>, which CSS makes an inline block: it wraps as a whole.

    A no-break space isn't enough: on a line that is too short, the browser would break inside a word.
    """
    html = _WHOLE.sub(lambda found: f"<span>{found[0]}</span>".replace("\N{NO-BREAK SPACE}", " "), escape(text))
    return Markup(html)  # noqa: S704 - it was escaped above
