"""axe-core finds no violation in any state of the page: eleven runs for each."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.sync_api import Browser, Page

from service.delivery.email.parts import inline_pictures
from service.delivery.email.text import write_email
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from tests.browser import axe, tools
from tests.browser.conftest import Site
from tests.delivery.logos import PNG_THEME
from tests.delivery.test_email_text import BRANDING, EMAIL
from tests.web.states import STATES


@pytest.fixture(scope="module")
def tally() -> Iterator[axe.Tally]:
    tally = axe.Tally()
    yield tally
    print(f"\n{tally}")  # noqa: T201 - the figure in docs/benchmarks.md


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    try:
        tools.axe_source()
    except tools.ToolMissing as missing:
        tools.skip_without(missing)
    with axe.window(browser) as opened:
        yield opened


@pytest.mark.parametrize("name", STATES)
def test_nothing_is_in_anybodys_way(window: Page, server: Site, tally: axe.Tally, name: str) -> None:
    assert axe.audit_state(window, f"{server.url}/states/{name}", tally) == []


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize("code", ["en", "ar"])
def test_nothing_in_the_email_is_either(window: Page, rating: RatingType, code: str) -> None:
    """By WCAG; what is merely good practice, landmarks say, mail programs have around it."""
    raw = write_email(replace(BRANDING, theme=PNG_THEME), replace(EMAIL, rating=rating, language=load_language(code)))
    html = inline_pictures(message_from_bytes(raw, policy=default))
    window.goto("about:blank")
    window.set_content(html)
    for width in axe.WIDTHS:
        window.set_viewport_size({"width": width, "height": 740})
        for theme in axe.THEMES:
            window.emulate_media(color_scheme=theme)
            assert window.evaluate(axe.RUN_JS, [tag for tag in axe.TAGS if tag != "best-practice"]) == []


def test_axe_finds_what_is_wrong(window: Page, server: Site) -> None:
    """The control: a page with five faults, one of each important kind."""
    window.emulate_media(color_scheme="light")
    window.goto(f"{server.url}/states/form")
    window.evaluate("document.querySelector('html').removeAttribute('lang')")
    window.evaluate("document.querySelector('label[for=comment]').remove()")
    window.evaluate("document.querySelector('main').outerHTML = document.querySelector('main').innerHTML")
    window.evaluate("document.querySelector('footer a').style.color = '#aaa'")
    window.evaluate("document.querySelector('summary').innerHTML = ''")
    found = {each.split(":")[0] for each in window.evaluate(axe.RUN_JS, axe.TAGS)}
    assert {"html-has-lang", "label", "region", "color-contrast", "summary-name"} <= found
