"""The sandbox shows the Custom Card as Dixa does: hook URL, template, and a frame without rights."""

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser

from service.sandbox.http import HttpServer
from service.sandbox.server import Sandbox
from service.sandbox.settings import HOST, SandboxSettings
from service.sandbox.ui.custom_card import TEMPLATE
from service.web.app import create_app
from tests.processes import ROOT, RedisServer, free_port, settings_for

TOKEN = "a-token-of-the-card-0123456789"


@pytest.fixture
def dixa(redis_server: RedisServer) -> Iterator[Sandbox]:
    port = free_port()
    # The host is PUBLIC_URL's.
    url = f"http://127.0.0.1:{port}"
    given = {"DIXA_CARD_TOKEN": TOKEN, "PUBLIC_URL": url}
    web = HttpServer(HOST, port, create_app(settings_for(redis_server.new_database(), **given)))
    web.start()
    sandbox = Sandbox(SandboxSettings(rate=None, card_url=f"{url}/cards/dixa", card_token=TOKEN)).start()
    yield sandbox
    sandbox.stop()
    web.stop()


def test_a_conversation_shows_the_card_in_a_frame_without_rights(dixa: Sandbox) -> None:
    number = dixa.make_conversation()
    page = requests.get(f"{dixa.url}/conversations/{number}", timeout=30)
    assert re.search(rf'<iframe class="custom" src="/conversations/{number}/card"[^>]* sandbox>', page.text)
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    card = requests.get(f"{dixa.url}/conversations/{number}/card", timeout=30)
    assert "A survey may follow when a conversation is closed." in card.text
    assert card.headers["Content-Security-Policy"].endswith("; sandbox")
    assert requests.get(f"{dixa.url}/conversations/7/card", timeout=30).status_code == 404


def test_a_failing_hook_url_is_shown_as_such(dixa: Sandbox) -> None:
    object.__setattr__(dixa.settings, "card_token", f"{TOKEN}x")
    number = dixa.make_conversation()
    card = requests.get(f"{dixa.url}/conversations/{number}/card", timeout=30)
    assert card.text == "The card's hook URL failed: HTTPError."


def test_a_sandbox_without_a_card_shows_none() -> None:
    sandbox = Sandbox(SandboxSettings(rate=None)).start()
    number = sandbox.make_conversation()
    assert "<iframe" not in requests.get(f"{sandbox.url}/conversations/{number}", timeout=30).text
    assert requests.get(f"{sandbox.url}/conversations/{number}/card", timeout=30).status_code == 404
    sandbox.stop()


def test_the_documented_template_is_the_one_shown() -> None:
    documented = (ROOT / "docs" / "dixa-card.md").read_text(encoding="utf-8").split("```html\n")[1].split("```")[0]
    assert documented == TEMPLATE.read_text(encoding="utf-8")


def test_the_template_means_the_same_in_liquid_and_in_jinja_and_escapes_everything() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    tags, outputs = re.findall(r"{%(.*?)%}", text), re.findall(r"{{(.*?)}}", text)
    assert {tag.split()[0] for tag in tags} == {"for", "endfor", "if", "endif"}
    assert all(re.fullmatch(r" for \w+ in [\w.]+ | if [\w.]+ | end\w+ ", tag) for tag in tags)
    assert outputs
    assert all(re.fullmatch(r" [\w.]+ \| escape ", output) for output in outputs)


def test_a_browser_shows_the_card_in_its_frame(dixa: Sandbox, browser: Browser) -> None:
    number = dixa.make_conversation()
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(f"{dixa.url}/conversations/{number}")
    page.frame_locator("iframe.custom").get_by_text("A survey may follow").wait_for()
    assert problems == []
    page.close()
