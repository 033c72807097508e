"""Every state has room: on small screens, with large text, with WCAG's wide spacing, and for every finger."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from service.surveys.language_codes import LANGUAGES
from tests.browser.conftest import PHONE, Site
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES

TROUBLE_JS = """() => {
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
"""What has no room, in words."""
LARGE_JS = "on => { document.documentElement.style.fontSize = on ? '200%' : '' }"
SPACED_JS = """on => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(`
        * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
        p { margin-block-end: 2em !important }`)
    document.adoptedStyleSheets = on ? [sheet] : []
}"""
"""WCAG 1.4.12's."""
OPEN_JS = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    """Open one phone-sized window without JavaScript, for measuring."""
    with browser.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield context.new_page()


def trouble(page: Page, width: int) -> Any:
    page.set_viewport_size({"width": width, "height": 740})
    return page.evaluate(TROUBLE_JS)


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_small_screens_large_text_and_wide_spacing(scripted: Page, server: Site, name: str) -> None:
    for code in ("en", "de", "ar", "el", PSEUDO.code):
        scripted.goto(f"{server.url}/states/{name}?lang={code}")
        scripted.evaluate(OPEN_JS)
        found: dict[object, Any] = {width: trouble(scripted, width) for width in (1280, 640, 320)}
        for change in (LARGE_JS, SPACED_JS):
            scripted.evaluate(change, arg=True)
            found[change] = trouble(scripted, 320)
            scripted.evaluate(change, arg=False)
        assert {view: each for view, each in found.items() if each} == {}, code


@pytest.mark.parametrize("code", [*LANGUAGES, PSEUDO.code])
def test_every_language_fits_small_screens(scripted: Page, server: Site, code: str) -> None:
    for name in ("preselected", "all-error", "saved"):
        scripted.goto(f"{server.url}/states/{name}?lang={code}")
        scripted.evaluate(OPEN_JS)
        assert [trouble(scripted, width) for width in (320, 640)] == [[], []], name


BROKEN_JS = """() => [...document.querySelectorAll('.csat span')].flatMap(each => {
    each.style.fontWeight = 700
    const text = each.firstChild, range = document.createRange()
    return [...text.data.matchAll(/\\S+/g)].filter(word => {
        range.setStart(text, word.index)
        range.setEnd(text, word.index + word[0].length)
        return new Set([...range.getClientRects()].map(box => box.top)).size > 1
    }).map(word => word[0])
})"""


@pytest.mark.parametrize("code", LANGUAGES)
def test_side_by_side_no_word_is_broken(scripted: Page, server: Site, code: str) -> None:
    """Not even in the bold letters of the tile that is chosen."""
    scripted.goto(f"{server.url}/states/form?lang={code}")
    for width in (672, 1280):
        scripted.set_viewport_size({"width": width, "height": 740})
        assert scripted.evaluate(BROKEN_JS) == []


WORDS_JS = """() => {
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
def test_large_text_breaks_no_word(scripted: Page, server: Site, code: str) -> None:
    """Neither in the longest words of our languages nor in a date."""
    for name in ("preselected", "nps", "all-error", "saved-comment", "closed-expired", "stop", "not-found"):
        scripted.goto(f"{server.url}/states/{name}?lang={code}")
        scripted.evaluate(OPEN_JS)
        scripted.evaluate(LARGE_JS, arg=True)
        for width in (320, 360):
            scripted.set_viewport_size({"width": width, "height": 740})
            assert scripted.evaluate(WORDS_JS) == [], f"{name}, {width} px"


@pytest.mark.parametrize("large", [False, True])
def test_the_rows_of_nps_are_even(scripted: Page, server: Site, large: bool) -> None:  # noqa: FBT001
    """All eleven in one, or each in its own: eleven divides into no other rows of the same length."""
    scripted.goto(f"{server.url}/states/nps")
    scripted.evaluate(LARGE_JS, arg=large)
    tops = "[...document.querySelectorAll('.nps label')].map(each => each.getBoundingClientRect().top)"
    for width in (320, 360, 412, 640, 1280):
        scripted.set_viewport_size({"width": width, "height": 740})
        assert len(set(scripted.evaluate(tops))) == (11 if large and width <= 640 else 1), width


@pytest.mark.parametrize("name", ["form", "saved", "closed-expired", "stop", "recorded"])
def test_the_footer_is_one_line_on_a_phone(phone: Page, server: Site, name: str) -> None:
    for code in ("en", "de"):
        phone.goto(f"{server.url}/states/{name}?lang={code}")
        tops = [each.bounding_box() for each in phone.locator("footer > *").all()]
        assert len({box["y"] for box in tops if box}) == 1, code


LONG_BRAND = "Donaudampfschifffahrtsgesellschaft"
"""One word of 34 letters."""


@pytest.mark.parametrize("name", ["form", "all-preselected", "saved", "recorded-late", "stop", "not-found"])
def test_a_long_brand_fits_small_screens(scripted: Page, server: Site, name: str) -> None:
    for code in ("en", "de", "ar", "he"):
        scripted.goto(f"{server.url}/states/{name}?lang={code}&brand={LONG_BRAND}")
        found = [trouble(scripted, 320)]
        scripted.evaluate(LARGE_JS, arg=True)
        found.append(trouble(scripted, 320))
        assert found == [[], []], code


def test_forced_colours_show_the_brands_dot(browser: Browser, server: Site) -> None:
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        page.goto(f"{server.url}/states/form")
        dot = page.evaluate("getComputedStyle(document.querySelector('header'), '::before').backgroundColor")
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert dot not in {ground, "rgba(0, 0, 0, 0)"}


def test_what_has_no_room_is_found(scripted: Page, server: Site) -> None:
    scripted.goto(f"{server.url}/states/form")
    scripted.evaluate("document.querySelector('h1').style.whiteSpace = 'nowrap'")
    scripted.evaluate("document.querySelector('summary').style.cssText = 'height: 20px; padding: 0; overflow: hidden'")
    scripted.evaluate("document.querySelector('.tiles span').textContent = 'very '.repeat(20)")
    scripted.evaluate("document.querySelector('.tiles label').style.height = '48px'")
    wide, small, cut = trouble(scripted, 320)
    assert wide.endswith("px too wide")
    assert small.startswith("a target of")
    assert cut.startswith("text that is cut: <label")


@pytest.mark.parametrize("code", LANGUAGES)
def test_confirm_is_above_the_fold_in_every_language(phone: Page, server: Site, code: str) -> None:
    phone.goto(f"{server.url}/states/preselected?lang={code}")
    box = phone.locator(".notice button").bounding_box()
    assert box
    assert box["y"] + box["height"] < PHONE["height"]


@pytest.mark.parametrize("name", [name for name in STATES if name.endswith("preselected")])
def test_confirm_rating_is_above_the_fold_of_a_phone(phone: Page, server: Site, name: str) -> None:
    phone.goto(f"{server.url}/states/{name}")
    box = phone.get_by_role("button", name="Confirm rating").bounding_box()
    assert box
    assert box["y"] + box["height"] < PHONE["height"]


def test_tile_under_the_pointer_has_a_darker_border(scripted: Page, server: Site) -> None:
    scripted.set_viewport_size(PHONE)
    scripted.goto(f"{server.url}/states/form")
    border = "getComputedStyle(document.querySelector('[value=\"2\"]')).borderTopColor"
    before = scripted.evaluate(border)
    scripted.locator("[value='2']").hover()
    assert scripted.evaluate(border) != before
    assert scripted.evaluate(border) == scripted.evaluate("getComputedStyle(document.body).color")
