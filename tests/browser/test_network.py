"""The browser's network log of a page: one request, to us, for HTML only. Nothing is stored."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, ConsoleMessage, Page

from tests.browser.conftest import Site
from tests.web.states import STATES
from tests.web.weights import RAW_BYTES

LARGEST_HEAD = 2_000
"""Bytes of an answer before its page: the headers that protect it."""


@pytest.fixture
def log(scripted: Page) -> Iterator[CDPSession]:
    """Collect all of Chromium's requests. With JavaScript on, a script of ours would run, and be seen."""
    session = scripted.context.new_cdp_session(scripted)
    session.send("Network.enable")
    yield session
    session.detach()


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_one_request_that_breaks_no_policy(
    scripted: Page, log: CDPSession, site: Site, name: str
) -> None:
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    asked: list[Any] = []
    sizes: list[float] = []
    scripted.on("console", hear)
    log.on("Network.requestWillBeSent", lambda each: asked.append(each["request"] | {"type": each["type"]}))
    log.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
    scripted.goto(f"{site.url}/states/{name}", wait_until="networkidle")
    scripted.remove_listener("console", hear)
    # Chromium reports a page's error status by itself. It is no violation.
    assert [line for line in said if not line.startswith("Failed to load resource: the server responded")] == []
    real = [(each["url"], each["type"]) for each in asked if not each["url"].startswith("data:")]
    assert real == [(f"{site.url}/states/{name}", "Document")]
    assert site.asked == [f"/states/{name}"]
    assert 0 < sum(sizes) <= RAW_BYTES + LARGEST_HEAD
    assert scripted.context.cookies() == []
    assert scripted.evaluate("document.scripts.length + localStorage.length + sessionStorage.length") == 0
