"""Every state fits: on small screens, with large text, with WCAG's wide spacing, and with large touch targets."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language
from tests.browser.conftest import PHONE, Site
from tests.web.pseudo import PSEUDO
from tests.web.states import CONTEXT, STATES, make_app

MEASURE_JS = """([pages, views]) => {
    const frame = document.querySelector('iframe')
    const page = frame.contentDocument
    const spaced = new frame.contentWindow.CSSStyleSheet()
    // The spacing of WCAG 1.4.12.
    spaced.replaceSync(`
        * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
        p { margin-block-end: 2em !important }`)
    return pages.map(html => {
        page.open()
        page.write(html)
        page.close()
        return views.map(([width, way]) => {
            frame.style.width = `${width}px`
            page.documentElement.style.fontSize = way === 'large' ? '200%%' : ''
            page.adoptedStyleSheets = way === 'spaced' ? [spaced] : []
            return (%s)(page)
        })
    })
}"""
"""Measures pages in a frame, in one round trip. Windows of different sizes are ten times slower."""
FAULTS_JS = """document => {
    document.querySelectorAll('details').forEach(each => each.open = true)
    const root = document.documentElement, found = []
    const name = each => each.outerHTML.slice(0, 80)
    const wide = root.scrollWidth - root.clientWidth
    if (wide) found.push(`the page is ${wide} px too wide`)
    for (const each of document.querySelectorAll('a, button, summary, textarea, .tiles input')) {
        const {width, height} = each.getBoundingClientRect()
        if (Math.min(width, height) < 24) found.push(`a target of ${width} × ${height} px: ${name(each)}`)
    }
    for (const each of document.querySelectorAll('label:has([type=radio]), button, .notice, .problem')) {
        const box = each.getBoundingClientRect()
        const range = document.createRange()
        range.selectNodeContents(each)
        const inner = range.getBoundingClientRect()
        if (inner.left < box.left || inner.right > box.right || inner.top < box.top || inner.bottom > box.bottom)
            found.push(`text that is cut: ${name(each)}`)
    }
    return found
}"""
"""Returns descriptions of overflowing or too small elements."""
PLAIN, LARGE, SPACED = "plain", "large", "spaced"
PHONE_VIEW = [(PHONE["width"], PLAIN)]


@pytest.fixture(scope="module")
def frame(browser: Browser) -> Iterator[Page]:
    """Open a window with a frame as tall as a phone, in the request context of an app."""
    with browser.new_context() as context, make_app().test_request_context():
        page = context.new_page()
        page.set_content("<!doctype html><iframe height=740 style='border: 0'></iframe>")
        yield page


def render(name: str, code: str = "en", brand: str = CONTEXT.brand) -> str:
    language = PSEUDO if code == PSEUDO.code else load_language(code)
    return STATES[name](replace(CONTEXT, language=language, brand=brand)).get_data(as_text=True)


def measure(frame: Page, script: str, pages: Iterable[str], views: Sequence[tuple[int, str]]) -> Any:
    """Return the script's result for each page in each view: a width and a text size."""
    return frame.evaluate(MEASURE_JS % script, [list(pages), views])


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_small_screens_large_text_and_wide_spacing(frame: Page, name: str) -> None:
    pages = [render(name, code) for code in ("en", "de", "ar", "el", PSEUDO.code)]
    views = [(1280, PLAIN), (640, PLAIN), (320, PLAIN), (320, LARGE), (320, SPACED)]
    assert measure(frame, FAULTS_JS, pages, views) == [[[]] * len(views)] * len(pages)


@pytest.mark.parametrize("code", [*LANGUAGES, PSEUDO.code])
def test_every_language_fits_small_screens(frame: Page, code: str) -> None:
    pages = [render(name, code) for name in ("preselected", "all-error", "saved")]
    assert measure(frame, FAULTS_JS, pages, [(320, PLAIN), (640, PLAIN)]) == [[[], []]] * len(pages)


BROKEN_WORDS_JS = """document => [...document.querySelectorAll('.csat span')].flatMap(each => {
    each.style.fontWeight = 700
    const text = each.firstChild, range = document.createRange()
    return [...text.data.matchAll(/\\S+/g)].filter(word => {
        range.setStart(text, word.index)
        range.setEnd(text, word.index + word[0].length)
        return new Set([...range.getClientRects()].map(box => box.top)).size > 1
    }).map(word => word[0])
})"""


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_word_breaks_in_adjacent_tiles(frame: Page, code: str) -> None:
    """Bold letters too: those of the chosen tile."""
    assert measure(frame, BROKEN_WORDS_JS, [render("form", code)], [(672, PLAIN), (1280, PLAIN)]) == [[[], []]]


WORDS_JS = """document => {
    document.querySelectorAll('details').forEach(each => each.open = true)
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const range = document.createRange(), found = []
    while (walker.nextNode()) {
        const text = walker.currentNode
        if (text.parentElement.closest('textarea, .away')) continue
        for (const word of text.data.matchAll(/[^\\s\\u002d\\u2010-\\u2014\\/]+/g)) {
            range.setStart(text, word.index)
            range.setEnd(text, word.index + word[0].length)
            const lines = new Set([...range.getClientRects()].filter(box => box.width > 1).map(box => box.top))
            if (lines.size > 1) found.push(word[0])
        }
    }
    return found
}"""


@pytest.mark.parametrize("code", ["de", "el", "fi", "hu", "lt"])
def test_no_word_breaks_in_large_text(frame: Page, code: str) -> None:
    """Including the longest words of all languages, and dates."""
    names = ("preselected", "nps", "all-error", "saved-comment", "closed-expired", "stop", "not-found")
    pages = [render(name, code) for name in names]
    assert measure(frame, WORDS_JS, pages, [(320, LARGE), (360, LARGE)]) == [[[], []]] * len(names)


@pytest.mark.parametrize("way", [PLAIN, LARGE])
def test_rows_of_nps_have_equal_length(frame: Page, way: str) -> None:
    """One row of eleven, or eleven rows of one: eleven is a prime number."""
    rows = """document => {
        const tops = [...document.querySelectorAll('.nps label')].map(each => each.getBoundingClientRect().top)
        return new Set(tops).size
    }"""
    widths = (320, 360, 412, 640, 1280)
    [found] = measure(frame, rows, [render("nps")], [(width, way) for width in widths])
    assert found == [11 if way == LARGE and width <= 640 else 1 for width in widths]


@pytest.mark.parametrize("name", ["form", "saved", "closed-expired", "stop", "recorded"])
def test_footer_has_two_lines_at_most_on_a_phone(frame: Page, name: str) -> None:
    lines = """document => {
        const tops = [...document.querySelectorAll('footer > *')].map(each => each.getBoundingClientRect().top)
        return new Set(tops).size
    }"""
    found = measure(frame, lines, [render(name, code) for code in ("en", "de")], PHONE_VIEW)
    assert max(count for [count] in found) <= 2


LONG_BRAND = "Donaudampfschifffahrtsgesellschaft"
"""One word of 34 letters."""


@pytest.mark.parametrize("name", ["form", "all-preselected", "saved", "recorded-late", "stop", "not-found"])
def test_long_brand_name_fits_small_screens(frame: Page, name: str) -> None:
    pages = [render(name, code, LONG_BRAND) for code in ("en", "de", "ar", "he")]
    assert measure(frame, FAULTS_JS, pages, [(320, PLAIN), (320, LARGE)]) == [[[], []]] * len(pages)


def test_forced_colours_show_the_brands_dot(browser: Browser, server: Site) -> None:
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        page.goto(f"{server.url}/states/form")
        dot = page.evaluate("getComputedStyle(document.querySelector('header'), '::before').backgroundColor")
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dot not in {ground, "rgba(0, 0, 0, 0)"}


def test_check_finds_overflowing_and_small_elements(frame: Page) -> None:
    spoil = """document => {
        document.querySelector('h1').style.whiteSpace = 'nowrap'
        document.querySelector('summary').style.cssText = 'height: 20px; padding: 0; overflow: hidden'
        document.querySelector('.tiles span').textContent = 'very '.repeat(20)
        document.querySelector('.tiles label').style.height = '48px'
    }"""
    spoilt = f"document => {{ ({spoil})(document); return ({FAULTS_JS})(document) }}"
    [[[wide, small, cut]]] = measure(frame, spoilt, [render("form")], [(320, PLAIN)])
    assert wide.endswith("px too wide")
    assert small.startswith("a target of")
    assert cut.startswith("text that is cut: <label")


BOTTOM_JS = "document => document.querySelector('.notice button').getBoundingClientRect().bottom"


def test_confirm_is_above_the_fold_in_every_language(frame: Page) -> None:
    found = measure(frame, BOTTOM_JS, [render("preselected", code) for code in LANGUAGES], PHONE_VIEW)
    assert [code for code, [bottom] in zip(LANGUAGES, found, strict=True) if bottom >= PHONE["height"]] == []


@pytest.mark.parametrize("name", [name for name in STATES if name.endswith("preselected")])
def test_confirm_rating_is_above_the_fold_of_a_phone(frame: Page, name: str) -> None:
    text = "document => document.querySelector('.notice button').innerText"
    assert measure(frame, text, [render(name)], PHONE_VIEW) == [["Confirm rating"]]
    assert measure(frame, BOTTOM_JS, [render(name)], PHONE_VIEW) < [[PHONE["height"]]]


def test_tile_under_the_pointer_has_a_darker_border(scripted: Page, server: Site) -> None:
    scripted.set_viewport_size(PHONE)
    scripted.goto(f"{server.url}/states/form")
    border = "getComputedStyle(document.querySelector('[value=\"2\"]')).borderTopColor"
    before = scripted.evaluate(border)
    scripted.locator("[value='2']").hover()
    assert scripted.evaluate(border) != before
    assert scripted.evaluate(border) == scripted.evaluate("getComputedStyle(document.body).color")
