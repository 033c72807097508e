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
def test_no_state_of_the_page_violates_wcag(windows: axe.Windows, tally: axe.Tally, name: str) -> None:
    assert windows.audit_state(name, tally) == []


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize("code", ["en", "ar"])
def test_email_does_not_violate_wcag(windows: axe.Windows, rating: RatingType, code: str) -> None:
    """Only WCAG is tested: best practices, such as landmarks, are the task of the mail program."""
    raw = write_email(replace(BRANDING, theme=PNG_THEME), replace(EMAIL, rating=rating, language=load_language(code)))
    html = inline_pictures(message_from_bytes(raw, policy=default))
    for window in windows.views.values():
        assert window.evaluate(axe.RUN_JS, [html, [tag for tag in axe.TAGS if tag != "best-practice"]]) == []


def test_axe_finds_five_kinds_of_faults(windows: axe.Windows) -> None:
    """The page has five faults, one of each important kind."""
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
