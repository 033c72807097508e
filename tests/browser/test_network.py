"""A page causes one request in the browser, for its HTML, and stores nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import CDPSession, ConsoleMessage, Page

from tests.browser.conftest import Site
from tests.web.states import STATES
from tests.web.weights import RAW_BYTES

LARGEST_HEAD = 2_000
"""The maximum bytes of a response's head, with the security headers."""


@pytest.fixture
def log(scripted: Page) -> Iterator[CDPSession]:
    """Collect all requests of Chromium. JavaScript is on, so the test would find a script."""
    session = scripted.context.new_cdp_session(scripted)
    session.send("Network.enable")
    yield session
    session.detach()


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_one_request_without_policy_violations(
    scripted: Page, log: CDPSession, site: Site, name: str
) -> None:
    messages: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        messages.append(message.text)

    network_requests: list[Any] = []
    sizes: list[float] = []
    scripted.on("console", collect)
    log.on("Network.requestWillBeSent", lambda each: network_requests.append(each["request"] | {"type": each["type"]}))
    log.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
    scripted.goto(f"{site.url}/states/{name}", wait_until="networkidle")
    scripted.remove_listener("console", collect)
    # Chromium reports the error status of a page. It is no violation.
    assert [line for line in messages if not line.startswith("Failed to load resource: the server responded")] == []
    real = [(each["url"], each["type"]) for each in network_requests if not each["url"].startswith("data:")]
    assert real == [(f"{site.url}/states/{name}", "Document")]
    assert site.requested == [f"/states/{name}"]
    assert 0 < sum(sizes) <= RAW_BYTES + LARGEST_HEAD
    assert scripted.context.cookies() == []
    assert scripted.evaluate("document.scripts.length + localStorage.length + sessionStorage.length") == 0
