"""Every state has room: on small screens, with large text, with WCAG's wide spacing, and for every finger."""

from typing import Any

import pytest
from playwright.sync_api import Page

from config.languages import LANGUAGES
from tests.browser.conftest import PHONE, Site
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES

TROUBLE_JS = """() => {
    const root = document.documentElement, found = []
    const name = each => each.outerHTML.slice(0, 80)
    const wide = root.scrollWidth - root.clientWidth
    if (wide) found.push(`the page is ${wide} px too wide`)
    for (const each of document.querySelectorAll('a, button, summary, textarea, .options input')) {
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


def trouble(page: Page, width: int) -> Any:
    page.set_viewport_size({"width": width, "height": 740})
    return page.evaluate(TROUBLE_JS)


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_small_screens_large_text_and_wide_spacing(scripted: Page, server: Site, name: str) -> None:
    for code in ("en", "de", "ar", "el", PSEUDO.code):
        scripted.goto(f"{server.url}/states/{name}?lang={code}")
        scripted.evaluate(OPEN_JS)
        found: dict[object, Any] = {width: trouble(scripted, width) for width in (320, 640, 1280)}
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


def test_what_has_no_room_is_found(scripted: Page, server: Site) -> None:
    scripted.goto(f"{server.url}/states/form")
    scripted.evaluate("document.querySelector('h1').style.whiteSpace = 'nowrap'")
    scripted.evaluate("document.querySelector('summary').style.cssText = 'height: 20px; padding: 0'")
    scripted.evaluate("document.querySelector('.options span').textContent = 'very '.repeat(20)")
    scripted.evaluate("document.querySelector('.options label').style.height = '48px'")
    wide, small, cut = trouble(scripted, 320)
    assert wide.endswith("px too wide")
    assert small.startswith("a target of")
    assert cut.startswith("text that is cut: <label")


@pytest.mark.parametrize("code", LANGUAGES)
def test_confirm_is_above_the_fold_in_every_language(page: Page, site: Site, code: str) -> None:
    page.goto(f"{site.url}/states/preselected?lang={code}")
    box = page.locator(".notice button").bounding_box()
    assert box
    assert box["y"] + box["height"] < PHONE["height"]


@pytest.mark.parametrize("name", [name for name in STATES if name.endswith("preselected")])
def test_confirm_rating_is_above_the_fold_of_a_phone(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.url}/states/{name}")
    box = page.get_by_role("button", name="Confirm rating").bounding_box()
    assert box
    assert box["y"] + box["height"] < PHONE["height"]
