"""Every state of the survey page: its size, markup, texts and headers."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from flask import Flask, Response
from markupsafe import escape

from service.preview.states import SCORES
from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language
from service.web import page_texts, pages, security_headers
from service.web.page_context import Closed
from tests.web.states import (
    CONTEXT,
    CSAT,
    NPS,
    PUBLIC_URL,
    STATES,
    THUMBS,
    WITH_ALL,
    WITH_NPS,
    WITH_THUMBS,
    make_app,
    show,
)
from tests.web.weights import GZIPPED_BYTES, RAW_BYTES, assumed, weigh

VOID = {"meta", "link", "input", "circle", "path"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{brand}%s'</textarea>"
CODES = {
    "error": 422,
    "closed": 410,
    "not-found": 404,
    "busy": 429,
    "failed": 503,
    "unavailable": 503,
    "stop-unknown": 410,
}
"""Names of states with 200 have none of these words."""


@pytest.fixture(name="app", scope="module")
def make_pages_app() -> Flask:
    return make_app()


@pytest.fixture(autouse=True)
def in_context(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


def html_of(response: Response) -> str:
    return response.get_data(as_text=True)


def text_of(response: Response) -> str:
    """Return the text of a page, without its tags."""
    body = re.sub(r"<style>.*?</style>", "", html_of(response))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


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


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_small_in_every_language(name: str) -> None:
    """With all languages, a real token and own texts. weights.py has the assumed lengths."""
    for code in LANGUAGES:
        raw, gzipped = weigh(name, load_language(code))
        assert raw <= RAW_BYTES, f"{code}: {raw} bytes, with {assumed(name)}"
        assert gzipped <= GZIPPED_BYTES, f"{code}: {gzipped} bytes, with {assumed(name)}"


@pytest.mark.parametrize("name", STATES)
def test_every_state_has_its_status_code(name: str) -> None:
    assert show(name).status_code == next((code for words, code in CODES.items() if words in name), 200)


@pytest.mark.parametrize("name", STATES)
def test_every_state_loads_nothing(name: str) -> None:
    response = show(name)
    html = html_of(response)
    assert "<script" not in html.lower()
    assert not re.search(r"@import|url\(|\bsrc=|\son[a-z]+=|\bstyle=|javascript:", html)
    assert "Set-Cookie" not in response.headers
    loaded = [attrs["href"] for attrs in Outline(html).of("link")]
    assert loaded == ["data:,"]


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_well_formed(name: str) -> None:
    html = html_of(show(name))
    outline = Outline(html)
    assert outline.open == []
    for tag in re.findall(r"<[a-z][^>]*>", html):
        assert re.fullmatch(r'<[a-z][a-z0-9]*(\s+[A-Za-z-]+(="[^"<]*"|=[\w-]+)?)*/?>', tag), tag
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    described = [attrs["aria-describedby"] or "" for _, attrs in outline.tags if "aria-describedby" in attrs]
    links = [attrs["href"] or "" for attrs in outline.of("a")]
    targets = {*" ".join(described).split(), *(link[1:] for link in links if link.startswith("#"))}
    assert targets <= set(ids)
    assert len(outline.of("h1")) == 1


@pytest.mark.parametrize("name", STATES)
def test_every_form_has_action_and_no_browser_validation(name: str) -> None:
    outline = Outline(html_of(show(name)))
    for form in outline.of("form"):
        action = {"action": "/s/token/stop"} if name.startswith("stop") else {"action": "?", "novalidate": None}
        assert {**form, "id": ""} == {"method": "post", "id": "", **action}
    for tag, attrs in outline.tags:
        assert not attrs.keys() & {"required", "maxlength", "pattern"}, tag
    for field in outline.of("input"):
        if field["name"] == "website":
            assert field == {"name": "website", "tabindex": "-1", "autocomplete": "off"}


def test_form_shows_question_and_conversation() -> None:
    words = text_of(pages.form_page(CONTEXT))
    assert "How satisfied are you with the help you got? Your chat with support on 12 May 2026" in words
    assert "1 Very dissatisfied 2 Dissatisfied 3 Neutral 4 Satisfied 5 Very satisfied" in words
    assert "not saved yet" not in words
    assert "How likely are you to recommend Northwind to a friend?" in text_of(pages.form_page(WITH_NPS))
    assert re.search(r"Did we solve your problem\?.* Yes .* No ", text_of(pages.form_page(WITH_THUMBS)))


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("WidgetChat", "Your chat with support on 12 May 2026"),
        ("Email", "Your e-mail conversation with support on 12 May 2026"),
        ("PstnPhone", "Your call with support on 12 May 2026"),
        ("WhatsApp", "Your messages with support on 12 May 2026"),
        ("CarrierPigeon", "Your conversation with support on 12 May 2026"),
        (None, "Your conversation with support on 12 May 2026"),
    ],
)
def test_context_line_names_channel(channel: str | None, words: str) -> None:
    assert words in text_of(pages.form_page(replace(CONTEXT, channel=channel)))


def test_context_line_works_without_date() -> None:
    undated = pages.form_page(replace(CONTEXT, channel="PstnPhone", closed_on=None))
    assert ">Your call with support</p>" in html_of(undated)
    assert "on 1 June 2026" in text_of(pages.form_page(replace(CONTEXT, closed_on=date(2026, 6, 1))))


def checked(response: Response) -> list[tuple[str | None, str | None]]:
    return [(field["name"], field["value"]) for field in Outline(html_of(response)).of("input") if "checked" in field]


def test_preselected_score_is_shown_as_unsaved() -> None:
    response = pages.form_page(CONTEXT, chosen={CSAT: 4}, preselected=True)
    assert checked(response) == [("rating", "4")]
    assert re.search(r"5 Very satisfied *Not saved yet\. Confirm rating", text_of(response))


def test_score_of_zero_counts() -> None:
    response = pages.form_page(WITH_THUMBS, chosen={THUMBS: 0}, preselected=True)
    assert checked(response) == [("rating", "0")]
    assert "Not saved yet." in text_of(response)
    saved = pages.saved_page(WITH_NPS, {NPS: 0}, has_comment=False)
    assert "Your answer “0” is saved." in text_of(saved)
    assert '<input type="hidden" name="rating" value="0">' in html_of(saved)


def test_errors_are_in_summary_and_at_field() -> None:
    response = show("all-error")
    outline = Outline(html_of(response))
    summary = next(attrs for attrs in outline.of("div") if attrs.get("class") == "problem")
    assert summary == {"class": "problem", "role": "alert", "tabindex": "-1", "autofocus": None}
    assert [link["href"] for link in outline.of("a")][:2] == ["#rating", "#comment"]
    assert "<title>Error: Rate your support – Northwind</title>" in html_of(response)
    words = text_of(response)
    assert "Error: Answer at least one question" in words
    assert "Error: Your comment must be 2,000 characters or fewer" in words
    assert checked(response) == []


def test_failure_keeps_typed_text() -> None:
    response = pages.form_page(CONTEXT, chosen={CSAT: 2}, comment="\n too slow", failed=True)
    assert "Your answer is not saved. Please try again." in text_of(response)
    assert checked(response) == [("rating", "2")]
    assert ">\n\n too slow</textarea>" in html_of(response)
    assert pages.form_page(CONTEXT, failed=True, status=429).status_code == 429


def test_saved_page_repeats_rating_for_later_comment() -> None:
    response = pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=False)
    assert '<input type="hidden" name="rating" value="4">' in html_of(response)
    words = text_of(response)
    assert "Your answer “Satisfied” is saved." in words
    assert "Anything you would like to add? (optional)" in words
    assert "Change your answer" in words


def test_saved_page_with_comment_has_no_comment_field() -> None:
    response = pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=True)
    assert "Your comment is saved too. You can close this page." in text_of(response)
    assert "<textarea" not in html_of(response)
    assert page_texts.ADD_COMMENT not in html_of(response)


def test_saved_page_lists_answers_of_several_questions() -> None:
    partly = pages.saved_page(WITH_ALL, {NPS: 9}, has_comment=False)
    assert "Your answer “9” is saved." in text_of(partly)
    assert re.findall(r'<input type="hidden"[^>]*>', html_of(partly)) == [
        '<input type="hidden" name="rating_nps" value="9">'
    ]
    assert {*re.findall(r"<input type=radio name=(\w+)", html_of(partly))} == {"rating", "rating_thumbs"}
    fully = pages.saved_page(WITH_ALL, SCORES, has_comment=False)
    assert html_of(fully).count('<input type="hidden"') == 3
    assert "Did we solve your problem? Yes" in text_of(fully)


def test_change_page_does_not_show_comment() -> None:
    response = pages.change_page(WITH_ALL, {CSAT: 4, NPS: 9}, has_comment=True)
    assert checked(response) == [("rating", "4"), ("rating_nps", "9")]
    assert ">\n</textarea>" in html_of(response)
    assert page_texts.COMMENT_KEPT in html_of(response)
    assert page_texts.COMMENT_KEPT not in html_of(pages.change_page(CONTEXT, {CSAT: 4}, has_comment=False))


def test_recorded_and_closed_pages_have_no_form() -> None:
    for spoken in (pages.recorded_page(CONTEXT, {CSAT: 4}), pages.late_page(CONTEXT, {CSAT: 4}, is_changed=True)):
        assert "Your answer “Satisfied” is recorded. It can no longer be changed." in text_of(spoken)
        assert "<form" not in html_of(spoken)
    for reason in Closed:
        response = pages.closed_page(CONTEXT, reason)
        assert page_texts.CLOSED_WHY[reason] in text_of(response)
        assert "<form" not in html_of(response)
        assert f'<a href="{CONTEXT.support_url}">Contact our support team</a>' in html_of(response)
    assert "Contact" not in text_of(pages.closed_page(replace(CONTEXT, support_url=None), Closed.EXPIRED))


def test_late_comment_is_quoted_verbatim() -> None:
    html = html_of(pages.late_page(CONTEXT, {CSAT: 4}, comment=f"\n {HOSTILE}\nmore"))
    assert f'<blockquote dir="auto">\n {escape(HOSTILE)}\nmore</blockquote>' in html
    assert "white-space:pre-wrap" in html
    assert "<svg" not in html
    without = text_of(pages.late_page(replace(CONTEXT, support_url=None), {CSAT: 4}, comment="x"))
    assert "please contact us the way you did before" in without


@pytest.mark.parametrize("code", ["ar", "he", "en"])
def test_brand_beginning_with_digit_is_isolated(code: str) -> None:
    brand = "24 Shop (DK)"
    isolated = brand if code == "en" else f"\u2068{brand}\u2069"
    html = html_of(pages.form_page(replace(WITH_NPS, brand=brand, language=load_language(code))))
    assert f"<header><bdi>{brand}</bdi></header>" in html
    assert f" – {isolated}</title>" in html
    body = html.partition("<main>")[2]
    assert body.count(brand) == body.count(isolated) == 2


def test_forced_colours_keep_brand_dot() -> None:
    assert re.search(r"header::before\{[^}]*forced-color-adjust:none\}", html_of(pages.form_page(CONTEXT)))


def test_page_has_rules_of_its_own_tiles_only() -> None:
    """Languages with a word that is too long stack their tiles."""
    pages_of = {code: html_of(pages.form_page(replace(CONTEXT, language=load_language(code)))) for code in LANGUAGES}
    below = {code for code, html in pages_of.items() if "<div class=tiles>" in html}
    assert below == {code for code, html in pages_of.items() if ".csat{" not in html}
    assert below == {"el", "lt", "lv", "pl", "uk"}


def test_privacy_notice_is_linked_if_set() -> None:
    assert page_texts.PRIVACY_LINK not in html_of(pages.form_page(CONTEXT))
    linked = pages.form_page(replace(CONTEXT, privacy_url="https://northwind.example/privacy?a=1&b=2"))
    assert '<a href="https://northwind.example/privacy?a=1&amp;b=2">Privacy notice</a>' in html_of(linked)


def test_hostile_text_is_escaped() -> None:
    ctx = replace(WITH_ALL, brand=HOSTILE, support_url=HOSTILE, privacy_url=HOSTILE, action=HOSTILE)
    shown = [
        pages.form_page(ctx, comment=HOSTILE, errors={"comment": HOSTILE}),
        pages.saved_page(ctx, SCORES, has_comment=False),
        pages.late_page(ctx, SCORES, is_changed=True, comment=HOSTILE),
        pages.closed_page(ctx, Closed.EXPIRED),
        pages.not_found_page(ctx.language, HOSTILE, HOSTILE),
    ]
    for response in shown:
        html = html_of(response)
        assert "<script" not in html
        assert "<img" not in html
        assert "49" not in text_of(response)
        assert str(escape(HOSTILE)) in html
        assert Outline(html).open == []


def test_security_headers_of_page() -> None:
    response = security_headers.add_security_headers(pages.form_page(CONTEXT), public_url=PUBLIC_URL)
    style = re.search(r"<style>(.*?)</style>", html_of(response), re.DOTALL)
    assert style
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert dict(response.headers) | {"Content-Length": ""} == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": "",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Content-Language": "en",
        "Strict-Transport-Security": "max-age=31536000",
    }


def test_hsts_is_for_https_only() -> None:
    response = security_headers.add_security_headers(Response(), public_url="http://localhost:8000")
    assert "Strict-Transport-Security" not in response.headers
