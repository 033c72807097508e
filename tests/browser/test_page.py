"""The survey page as a customer meets it: in a browser, JavaScript off, on small and large screens."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import Browser, Page, ViewportSize
from werkzeug.wrappers import Response as BaseResponse

from service.web import forms, pages
from tests.browser.conftest import serving
from tests.web.states import CONTEXT, CSAT, STATES, make_app

PHONE: ViewportSize = {"width": 360, "height": 740}
TARGETS = "a, button, textarea, .options input"
SIZES_JS = """selector => [...document.querySelectorAll(selector)].map(each => {
    const box = each.getBoundingClientRect()
    return [each.outerHTML.slice(0, 80), Math.min(box.width, box.height)]
})"""
OVERFLOW_JS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-block-end: 2em !important }"""


@dataclass
class Site:
    """The pages behind a URL, and what was posted to them."""

    url: str = ""
    posted: list[forms.AnswerForm] = field(default_factory=list)


def add_journey(app: Flask, site: Site) -> None:
    """Add the shortest journey that uses every page: the real views have tests of their own."""

    @app.get("/s/token")
    def show() -> Response:
        if site.posted and "change" not in request.args:
            last = site.posted[-1]
            return pages.saved_page(
                CONTEXT, last.scores, has_comment=bool(last.comment), change_url="/s/token?change=1"
            )
        chosen = {CSAT: int(request.args["r"])} if "r" in request.args else {}
        return pages.form_page(CONTEXT, chosen=chosen, preselected=bool(chosen))

    @app.post("/s/token")
    def save() -> BaseResponse:
        try:
            site.posted.append(forms.load_answer_form(request.form, CONTEXT.ratings))
        except forms.FormError as error:
            return pages.form_page(CONTEXT, chosen=error.typed.scores, comment=error.typed.comment, errors=error.errors)
        return redirect("/s/token", 303)


@pytest.fixture(name="server", scope="module")
def serve_site() -> Iterator[Site]:
    app, site = make_app(), Site()
    add_journey(app, site)
    with serving(app) as url:
        site.url = url
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    server.posted.clear()
    return server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a phone-sized window without JavaScript."""
    with browser.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield context.new_page()


def focused(page: Page) -> Any:
    return page.locator(":focus")


def test_the_keyboard_alone_is_enough(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    page.keyboard.press("Tab")
    assert focused(page).get_attribute("name") == "rating"
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.get_by_label("4 Satisfied", exact=True).is_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Quick and kind")
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "Send feedback"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Thank you for your feedback").wait_for()
    assert page.get_by_text("Your answer “Satisfied” is saved.").is_visible()
    assert site.posted == [forms.AnswerForm({CSAT: 4}, "Quick and kind", is_suspect=False)]


def test_one_tap_on_confirm_saves_and_a_comment_can_follow(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    assert site.posted == []
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_label("Anything you would like to add?").fill("Thanks\nagain")
    page.get_by_role("button", name="Add comment").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    assert [(each.scores, each.comment) for each in site.posted] == [({CSAT: 4}, ""), ({CSAT: 4}, "Thanks\nagain")]


def test_another_choice_hides_the_notice_and_is_what_enter_sends(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    notice = page.get_by_text("It is not saved yet.")
    assert notice.is_visible()
    page.get_by_label("2 Dissatisfied").check()
    assert notice.is_hidden()
    assert page.get_by_role("button", name="Confirm rating").is_hidden()
    page.get_by_label("4 Satisfied", exact=True).check()
    assert notice.is_visible()
    page.get_by_label("2 Dissatisfied").check()
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Dissatisfied” is saved.").wait_for()
    assert site.posted[-1].scores == {CSAT: 2}


def test_an_empty_form_comes_back_with_the_problem_focused_and_the_comment_kept(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token#elsewhere")
    page.get_by_label("What is the main reason").fill("\nA first line was empty")
    page.get_by_role("button", name="Send feedback").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert focused(page).get_attribute("role") == "alert"
    assert page.title() == "Error: Rate your support – Northwind"
    assert page.get_by_label("What is the main reason").input_value() == "\nA first line was empty"
    assert page.get_by_role("group").get_attribute("aria-describedby") == "about rating-error"
    alert.get_by_role("link", name="Choose how satisfied you are").click()
    assert focused(page).get_attribute("id") == "rating"


def test_the_honeypot_is_out_of_sight_and_out_of_the_tab_order(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    box = page.locator("[name=website]").bounding_box()
    assert box
    assert box["x"] + box["width"] < 0
    stops = []
    for _ in range(3):
        page.keyboard.press("Tab")
        stops.append(focused(page).get_attribute("name"))
    assert stops == ["rating", "comment", None]


@pytest.mark.parametrize("name", [name for name in STATES if name.endswith("preselected")])
def test_confirm_rating_is_above_the_fold_of_a_phone(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.url}/states/{name}")
    box = page.get_by_role("button", name="Confirm rating").bounding_box()
    assert box
    assert box["y"] + box["height"] < PHONE["height"]


@pytest.fixture(name="scripted", scope="module")
def open_scripted(browser: Browser) -> Iterator[Page]:
    """Open one window with JavaScript on, for measuring."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_one_request_that_breaks_no_policy(scripted: Page, server: Site, name: str) -> None:
    said: list[str] = []
    asked: list[str] = []
    on_console, on_request = (lambda each: said.append(each.text)), (lambda each: asked.append(each.url))
    scripted.on("console", on_console)
    scripted.on("request", on_request)
    scripted.goto(f"{server.url}/states/{name}", wait_until="networkidle")
    scripted.remove_listener("console", on_console)
    scripted.remove_listener("request", on_request)
    # Chromium says of its own accord that a page has an error status; it is not a violation.
    assert [line for line in said if not line.startswith("Failed to load resource: the server responded")] == []
    assert [url for url in asked if not url.startswith("data:")] == [f"{server.url}/states/{name}"]
    assert scripted.context.cookies() == []


@pytest.mark.parametrize("name", STATES)
def test_every_state_fits_small_screens_large_text_and_wide_spacing(scripted: Page, server: Site, name: str) -> None:
    scripted.goto(f"{server.url}/states/{name}")
    for width in (320, 639, 640, 1280):
        scripted.set_viewport_size({"width": width, "height": 740})
        assert scripted.evaluate(OVERFLOW_JS) == 0
        assert [target for target, size in scripted.evaluate(SIZES_JS, TARGETS) if size < 24] == []
    scripted.set_viewport_size({"width": 640, "height": 740})
    scripted.evaluate("document.documentElement.style.fontSize = '200%'")
    assert scripted.evaluate(OVERFLOW_JS) == 0
    scripted.set_viewport_size({"width": 320, "height": 740})
    scripted.evaluate(
        """css => { document.documentElement.style.fontSize = ''
            const sheet = new CSSStyleSheet(); sheet.replaceSync(css); document.adoptedStyleSheets = [sheet] }""",
        SPACING,
    )
    assert scripted.evaluate(OVERFLOW_JS) == 0
