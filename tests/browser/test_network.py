"""The browser's network log of a page: one request, to us, for HTML only. Nothing is stored."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.conftest import Site
from tests.web.states import STATES
from tests.web.weights import RAW_BYTES

LARGEST_HEAD = 2_000
"""Bytes of an answer before its page: the headers that protect it."""


@pytest.fixture(name="page")
def open_page(browser: Browser) -> Iterator[Page]:
    """Open a window with JavaScript on: a script of ours would run, and be seen."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def log(page: Page) -> CDPSession:
    """Collect all of Chromium's requests."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    return session


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_one_request_that_breaks_no_policy(page: Page, log: CDPSession, site: Site, name: str) -> None:
    said: list[str] = []
    asked: list[Any] = []
    sizes: list[float] = []
    page.on("console", lambda each: said.append(each.text))
    log.on("Network.requestWillBeSent", lambda each: asked.append(each["request"] | {"type": each["type"]}))
    log.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
    page.goto(f"{site.url}/states/{name}", wait_until="networkidle")
    # Chromium reports a page's error status by itself. It is no violation.
    assert [line for line in said if not line.startswith("Failed to load resource: the server responded")] == []
    real = [(each["url"], each["type"]) for each in asked if not each["url"].startswith("data:")]
    assert real == [(f"{site.url}/states/{name}", "Document")]
    assert site.asked == [f"/states/{name}"]
    assert 0 < sum(sizes) <= RAW_BYTES + LARGEST_HEAD
    assert page.context.cookies() == []
    assert page.evaluate("document.scripts.length + localStorage.length + sessionStorage.length") == 0
