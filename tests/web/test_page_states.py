"""Every state of the survey page: its size, status, markup and safety."""

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from markupsafe import escape

from service.preview.states import SCORES
from service.surveys.language_codes import LANGUAGES
from service.surveys.ratings import RatingType
from service.surveys.theme import make_theme
from service.surveys.words import Words
from service.texts.catalog import load_language
from service.web import pages
from service.web.page_context import Closed, PageContext
from tests.web.outline import HOSTILE, Outline, html_of, text_of
from tests.web.states import CONTEXT, STATES, WITH_ALL, show
from tests.web.weights import GZIPPED_BYTES, RAW_BYTES, assumed, weigh

pytestmark = pytest.mark.usefixtures("page_context")

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


def test_page_has_rules_of_its_own_tiles_only() -> None:
    """Languages with a word that is too long stack their tiles."""
    pages_of = {code: html_of(pages.form_page(replace(CONTEXT, language=load_language(code)))) for code in LANGUAGES}
    below = {code for code, html in pages_of.items() if "<div class=tiles>" in html}
    assert below == {code for code, html in pages_of.items() if ".csat{" not in html}
    assert below == {"el", "lt", "lv", "pl", "uk"}


OTHER_FACTS: dict[str, object] = {
    "language": load_language("da"),
    "brand": "Contoso",
    "support_url": "https://contoso.example",
    "privacy_url": "https://contoso.example/privacy",
    "ratings": (RatingType.NPS,),
    "channel": "Email",
    "closed_on": date(2026, 5, 13),
    "action": "?lang=da",
    "query": "r=4",
    "theme": make_theme("#7a1fa2", None, None),
    "until": date(2026, 9, 23),
    "kept_for": timedelta(days=10),
    "has_answer": False,
    "opt_out_url": "/s/another/stop?lang=da&x",
    "words": Words({RatingType.CSAT: "How was it?"}),
    "thank_you": "https://contoso.example/thanks",
    "deadline": None,
    "survey": "returns",
}


def test_kept_page_is_used_for_no_other_facts() -> None:
    """An empty form is rendered once for all customers with equal facts."""
    assert set(OTHER_FACTS) == set(PageContext.__slots__)
    ctx = replace(CONTEXT, deadline=None)
    contexts = [ctx, *(replace(ctx, **{name: fact}) for name, fact in OTHER_FACTS.items())]  # type: ignore[arg-type]

    def show(of: PageContext, score: int, comment: str = "", *, preselected: bool) -> str:
        return html_of(pages.form_page(of, chosen={RatingType.CSAT: score}, comment=comment, preselected=preselected))

    for _ in range(2):
        for of in contexts:
            for score, preselected in product((4, 5), (False, True)):
                # A page with a comment isn't kept.
                expected = show(of, score, "MINE", preselected=preselected).replace("MINE", "")
                assert show(of, score, preselected=preselected) == expected


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
