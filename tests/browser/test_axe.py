"""axe-core finds no violation in any state of the page: five runs for each."""

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.sync_api import Browser

from service.delivery.email.parts import inline_pictures
from service.delivery.email.text import write_email
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from tests.browser import axe, tools
from tests.delivery.logos import PNG_THEME
from tests.delivery.test_email_text import BRANDING, EMAIL
from tests.web.states import STATES, make_app, show


@pytest.fixture(scope="module")
def tally() -> Iterator[axe.Tally]:
    tally = axe.Tally()
    yield tally
    print(f"\n{tally}")  # noqa: T201 - the figure in docs/benchmarks.md


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[axe.Windows]:
    try:
        tools.axe_source()
    except tools.ToolMissing as missing:
        tools.skip_without(missing)
    with make_app().test_request_context():
        yield axe.Windows(browser)


@pytest.mark.parametrize("name", STATES)
def test_nothing_is_in_anybodys_way(windows: axe.Windows, tally: axe.Tally, name: str) -> None:
    assert windows.audit_state(name, tally) == []


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize("code", ["en", "ar"])
def test_nothing_in_the_email_is_either(windows: axe.Windows, rating: RatingType, code: str) -> None:
    """By WCAG; what is merely good practice, landmarks say, mail programs have around it."""
    raw = write_email(replace(BRANDING, theme=PNG_THEME), replace(EMAIL, rating=rating, language=load_language(code)))
    html = inline_pictures(message_from_bytes(raw, policy=default))
    for window in windows.views.values():
        assert window.evaluate(axe.RUN_JS, [html, [tag for tag in axe.TAGS if tag != "best-practice"]]) == []


def test_axe_finds_what_is_wrong(windows: axe.Windows) -> None:
    """The control: a page with five faults, one of each important kind."""
    html = show("form").get_data(as_text=True)
    pale = "color: light-dark(#aaa, #444); forced-color-adjust: none"
    for right, wrong in (
        ("<html lang=en", "<html"),
        ("<label for=comment", "<div"),
        ("<main", "<div"),
        ("</footer>", f"<p style='{pale}'>Pale</p><details><summary></summary></details></footer>"),
    ):
        assert right in html
        html = html.replace(right, wrong)
    for window in (*windows.views.values(), windows.forced):
        found = {each.split(":")[0] for each in window.evaluate(axe.RUN_JS, [html, axe.TAGS])}
        assert {"html-has-lang", "label", "region", "color-contrast", "summary-name"} <= found
