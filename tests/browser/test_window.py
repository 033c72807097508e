"""The operator's window in a real browser, served by gunicorn: without JavaScript, by keyboard, and with axe-core."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, HttpCredentials, Page, expect

from service.sandbox.server import Sandbox
from tests.browser import axe, tools
from tests.browser.conftest import PHONE
from tests.browser.test_html import RULES, find_faults
from tests.browser.test_layout import FAULTS_JS, LARGE, PLAIN, SPACED, measure
from tests.processes import RedisServer
from tests.web.operator.served_window import Window, served_window
from tests.web.operator.test_failed import fail
from tests.web.operator.window_client import PASSWORDS

HTML_RULES: dict[str, object] = RULES["rules"]  # type: ignore[assignment]
RUN_JS = axe.RUN_JS.replace("axe.run(document,", "axe.run({include: [document], exclude: ['svg text']},")
"""axe-core can't tell what is behind a text in an SVG. It is --soft on --card, 7.4:1 (docs/survey-page.md)."""


@pytest.fixture(name="window", scope="module")
def serve_window(
    redis_server: RedisServer, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    with served_window(redis_server.new_database(), sandbox, tmp_path_factory.mktemp("window")) as window:
        yield window


@pytest.fixture
def page(browser: Browser, window: Window) -> Iterator[Page]:
    """Open a phone-sized window without JavaScript, logged in as one who may act."""
    credentials: HttpCredentials = {"username": "anna", "password": PASSWORDS["anna"]}
    with browser.new_context(
        viewport=PHONE, java_script_enabled=False, http_credentials=credentials, base_url=window.url
    ) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def windows(browser: Browser) -> axe.Windows:
    try:
        tools.axe_source()
    except tools.ToolMissing as missing:
        tools.skip_without(missing)
    return axe.Windows(browser)


def test_no_view_violates_wcag(window: Window, windows: axe.Windows) -> None:
    """On phone and desktop, light and dark, and with forced colours; also for one who may only look."""
    pages = {path: window.fetch(path) for path in window.paths()} | {"ben": window.fetch("/operator", "ben")}
    assert len(pages) > 8
    found = [
        f"{path} {view}: {each}"
        for path, html in pages.items()
        for view, page in (*windows.views.items(), ("forced", windows.forced))
        for each in page.evaluate(RUN_JS, [html, axe.TAGS])
    ]
    assert found == [], "\n".join(each[:300] for each in found)


def test_every_view_fits_small_screens_large_text_and_wide_spacing(browser: Browser, window: Window) -> None:
    views = [(1280, PLAIN), (640, PLAIN), (320, PLAIN), (320, LARGE), (320, SPACED)]
    with browser.new_context() as context:
        frame = context.new_page()
        frame.set_content("<!doctype html><iframe height=740 style='border: 0'></iframe>")
        paths = window.paths()
        found = measure(frame, FAULTS_JS, [window.fetch(path) for path in paths], views)
    assert dict(zip(paths, found, strict=True)) == {path: [[]] * len(views) for path in paths}


def test_html_of_every_view_is_valid(window: Window, tmp_path: Path) -> None:
    # A table whose rows are blocks on a phone needs its roles: browsers forget them otherwise.
    for number, path in enumerate(window.paths()):
        (tmp_path / f"{number}.html").write_text(window.fetch(path), encoding="utf-8")
    assert find_faults(tmp_path, {**RULES, "rules": {**HTML_RULES, "no-redundant-role": "off"}}) == []


def test_a_view_loads_nothing_else_and_sets_no_cookie(page: Page, window: Window) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    for path in window.paths():
        requested.clear()
        page.goto(path)
        assert {each.partition("#")[0] for each in requested} == {f"{window.url}{path}"}
    assert page.context.cookies() == []


def test_surveys_are_paused_and_resumed_by_keyboard(page: Page) -> None:
    page.goto("/operator")
    page.get_by_role("button", name="Pause surveys").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Surveys are paused.")
    page.get_by_role("button", name="Resume").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_contain_text("Surveys are sent again.")


def test_the_first_tab_skips_the_navigation(page: Page) -> None:
    page.goto("/operator")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_why_was_this_one_not_asked(page: Page, window: Window) -> None:
    page.goto("/operator")
    page.get_by_role("link", name="Story").click()
    page.get_by_label("Conversation").fill(f"https://northwind.dixa.com/conversation/{window.not_asked}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Conversation {window.not_asked}")
    main = page.get_by_role("main")
    expect(main).to_contain_text("Skipped: before_start.")
    expect(main).to_contain_text("What to change: Write an earlier not_before.")


def test_what_broke_last_night(page: Page, window: Window) -> None:
    page.goto("/operator")
    page.get_by_role("link", name="Failed").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("surveys have failed for good.")
    expect(main).to_contain_text("Dixa, a mail server or a webhook receiver refused a call for good.")
    page.get_by_role("link", name=window.failed).click()
    expect(main).to_contain_text("Failed: refused.")


def test_what_will_be_sent_tomorrow(page: Page, window: Window) -> None:
    page.goto("/operator")
    text = page.get_by_role("main").inner_text()
    assert "Tomorrow: 3." in text or datetime.now(UTC).date() > window.made_on


def test_did_we_lose_anything(page: Page) -> None:
    page.goto("/operator")
    for name, value in (("Missed webhooks", "–"), ("In the spool", "0"), ("Failed", "2")):
        tile = page.locator(".figure").filter(has=page.locator("dt", has_text=name))
        expect(tile.locator("strong")).to_have_text(value)


def test_one_survey_is_retried(page: Page, window: Window) -> None:
    survey_id = fail(window.story)
    page.goto("/operator/failed")
    page.get_by_role("button", name=f"Retry {survey_id}").click()
    expect(page.get_by_role("status")).to_contain_text("One survey is due again now.")
    assert window.story.load(survey_id).offer.state != "failed"
