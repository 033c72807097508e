"""The preview shows everything that customers see, and makes no request."""

import html
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from config.settings import Settings
from service.delivery.segments import measure
from service.delivery.short_text import write_sample
from service.preview.__main__ import main
from service.preview.app import create_app
from service.preview.states import STATES
from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language
from tests.browser.conftest import serving
from tests.delivery.logos import png
from tests.processes import settings_for
from tests.web.survey_client import words_of
from tests.web.test_brand import hexadecimal

SURVEYS = """
[[survey]]
name = "default"
[survey.words.da]
question = "Hvor glad er du for hjælpen?"
subject = "Hvordan gik det?"
[[survey]]
name = "returns"
rating = ["Csat", "Nps"]
[survey.sender]
email = "Northwind Returns <returns@northwind.example>"
[survey.brand]
name = "Tidewater"
accent = "#9d174d"
"""
MESSAGES = ("email", "email-text", "message", "message-short", "message-html")
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(name="settings", scope="module")
def make_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    file = tmp_path_factory.mktemp("preview") / "surveys.toml"
    file.write_text(SURVEYS, encoding="utf-8")
    return settings_for(
        NOWHERE,
        SURVEYS_FILE=str(file),
        BRAND_NAME="Northwind",
        BRAND_ACCENT="#7a00e6",
        SUPPORT_URL="https://northwind.example/help",
    )


@pytest.fixture(name="app", scope="module")
def make_app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("rating", ["own", "csat", "nps", "thumbs", "all"])
@pytest.mark.parametrize("state", [*STATES, *MESSAGES])
def test_preview_shows_every_state_framed_by_itself_only(client: FlaskClient, state: str, rating: str) -> None:
    for code in ("en", "ar"):
        response = client.get(f"/default/{rating}/{code}/{state}")
        assert response.status_code in {200, 404, 410, 422, 429, 503}
        assert "frame-ancestors 'self'" in response.headers["Content-Security-Policy"]
        loaded = re.findall(r'(?:src|<link[^>]* href|@import|url\()[="\s]+([^"]*)', response.text)
        assert set(loaded) <= {"data:,", "/static/preview.css"}
        assert "<script" not in response.text
        if state in STATES:
            assert f"<html lang={code}" in response.text
            assert "#7a00e6" in response.text


@pytest.mark.parametrize("code", LANGUAGES)
def test_preview_has_every_language(client: FlaskClient, code: str) -> None:
    say = load_language(code).translate
    assert say("Thank you for your feedback") in client.get(f"/default/csat/{code}/saved").text
    assert say("How was the help you got?") in client.get(f"/default/all/{code}/message").text
    if code != "da":
        assert say("Did we solve your problem?") in client.get(f"/default/thumbs/{code}/email-text").text
        assert say("How was the help you got?") in client.get(f"/?state=email&lang={code}").text


def test_chooser_offers_everything_and_keeps_choice(client: FlaskClient) -> None:
    page = client.get("/?state=change&lang=da&survey=returns&rating=nps").text
    options = re.findall(r'<option value="([^"]*)"', page)
    ratings, ways = ["own", "csat", "nps", "thumbs", "all"], ["phone", "desktop", "both", "light", "dark", "both"]
    assert options == ["all", *STATES, *MESSAGES, *ratings, *LANGUAGES, *ways]
    assert re.findall(r"<option>|<option selected>", page) == ["<option>", "<option selected>"]
    assert re.findall(r'value="([^"]*)" selected', page) == ["change", "nps", "da", "both", "both"]
    assert page.count('src="/returns/nps/da/change?scheme=') == 4


def test_everything_is_shown_without_choice(client: FlaskClient) -> None:
    frames = re.findall(r'<iframe src="/default/own/en/([^?"]*)', client.get("/").text)
    assert frames == [*STATES, *MESSAGES]
    page = client.get("/?width=desktop&scheme=dark&lang=ar&survey=returns").text
    assert page.count("?scheme=dark") == 2 * (len(STATES) + 1)
    assert page.count('<figure class="desktop">') == len(STATES) + 1
    assert client.get("/?state=all&width=both&scheme=both").text.count("<iframe") == 4 * (len(STATES) + 1) + 4


def test_unknown_choice_falls_back_to_first(client: FlaskClient) -> None:
    assert 'src="/default/own/en/form?scheme=light"' in client.get("/?state=x&lang=x&survey=x&rating=x").text


@pytest.mark.parametrize("path", ["/x/own/en/form", "/default/x/en/form", "/default/own/xx/form", "/default/own/en/x"])
def test_unknown_state_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_own_texts_and_sender_are_shown(client: FlaskClient) -> None:
    assert "Hvor glad er du for hjælpen?" in client.get("/default/own/da/form").text
    assert "Hvor glad er du for hjælpen?" in client.get("/default/own/da/message").text
    assert "Hvordan gik det?" in client.get("/?state=email&lang=da").text
    sender = client.get("/?state=email&survey=returns").text
    assert "Northwind Returns &lt;returns@northwind.example&gt;" in sender


@pytest.mark.parametrize("state", [*STATES, "email", "message"])
def test_survey_is_shown_with_own_brand(client: FlaskClient, state: str) -> None:
    shown = client.get(f"/returns/nps/en/{state}").text
    assert "Tidewater" in shown
    assert "Northwind" not in shown
    assert ("#9d174d" in shown) is (state != "message")


def test_logo_of_email_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(png(180, 64))
    shown = create_app(settings_for(NOWHERE, BRAND_LOGO=str(file))).test_client().get("/default/own/en/email")
    assert '<img class="l" src="data:image/png;base64,' in shown.text
    assert "img-src data:" in shown.headers["Content-Security-Policy"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_date_is_in_brands_time_zone(zone: str) -> None:
    """It is never the same date in these two zones."""
    client = create_app(settings_for(NOWHERE, TIME_ZONE=zone)).test_client()
    days = [words_of(load_language("en").format_date(datetime.now(ZoneInfo(zone)).date()))]
    shown = [words_of(client.get(f"/default/own/en/{state}").text) for state in ("form", "email-text")]
    days.append(words_of(load_language("en").format_date(datetime.now(ZoneInfo(zone)).date())))
    assert [any(day in each for day in days) for each in shown] == [True, True]


@pytest.mark.parametrize(("lang", "size"), [("en", "of GSM-7"), ("el", "segment")])
def test_size_of_sms_is_shown(client: FlaskClient, settings: Settings, lang: str, size: str) -> None:
    shown = html.unescape(client.get(f"/default/own/{lang}/message-short").text)
    text = write_sample(settings, settings.surveys[0], load_language(lang))
    assert text in shown
    assert f"As an SMS: {measure(text)}" in shown
    assert size in shown
    assert "As an SMS" not in client.get(f"/default/own/{lang}/message").text


def test_links_of_email_open_form_with_score(client: FlaskClient) -> None:
    links = re.findall(r'href="http://localhost(/[^"]*)"', client.get("/default/csat/de/email").text)
    assert [link.partition("form")[2] for link in links] == [*(f"?r={score}" for score in range(1, 6)), "/stop"]
    chosen = client.get(links[3]).text
    assert re.findall(r"value=(\d) checked", chosen) == ["4"]
    assert "<form" in client.get(links[-1]).text
    assert load_language("de").translate("You will not be asked again") in client.post(links[-1]).text


@pytest.mark.parametrize("path", ["/privacy", "/accessibility"])
def test_links_of_a_page_open_the_statements_of_its_brand(client: FlaskClient, path: str) -> None:
    (link,) = {each for each in re.findall(r'href="([^"]*)"', client.get("/returns/csat/da/form").text) if path in each}
    shown = client.get(html.unescape(link))
    assert shown.status_code == 200
    assert "<html lang=da" in shown.text
    assert "Tidewater" in shown.text


def test_form_can_be_sent_and_is_not_saved(client: FlaskClient) -> None:
    assert client.post("/default/csat/en/form", data={}).status_code == 422
    thanks = client.post("/default/csat/en/form?lang=da", data={"rating": "2", "comment": "Hej"}).text
    assert "Utilfreds" in thanks
    assert "<html lang=da" in thanks


# The URL of each frame, its height, and the heights of its page.
HEIGHTS = """() => [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument.documentElement
    return [frame.src, frame.clientHeight, page.scrollHeight, Math.round(page.getBoundingClientRect().height)]
})"""
LOADED = """() => [...document.querySelectorAll("iframe")].every(frame => {
    const page = frame.contentDocument
    return page && page.URL !== "about:blank" && page.readyState === "complete"
})"""


@pytest.mark.parametrize("query", ["", "lang=ar&scheme=dark&rating=nps", "lang=el&width=desktop&rating=all"])
def test_every_frame_is_as_tall_as_page(browser: Browser, app: Flask, query: str) -> None:
    """The page has no JavaScript. The test measures with its own."""
    with serving(app) as url, browser.new_context(viewport={"width": 390, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{url}/?{query}")
        page.evaluate("""() => document.querySelectorAll("iframe").forEach(frame => { frame.loading = "eager" })""")
        page.wait_for_function(LOADED)
        for width in (390, 1400):
            page.set_viewport_size({"width": width, "height": 800})
            heights = page.evaluate(HEIGHTS)
            assert page.evaluate("() => document.documentElement.scrollWidth") == width
            assert len(heights) == len(STATES) + len(MESSAGES)
            assert [each for each in heights if each[1] != each[2] or abs(each[1] - each[3]) > 1] == []


def test_hidden_copies_cannot_be_reached(browser: Browser, app: Flask) -> None:
    with serving(app) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/?state=failed&width=phone&scheme=light")
        assert page.get_by_role("button").all_text_contents() == ["Show"]
        assert page.evaluate("() => document.activeElement.tagName") == "BODY"
        assert page.locator(".hidden-copy").count() == 1


@pytest.mark.parametrize("outside", ["light", "dark"])
def test_frames_have_their_own_colour_scheme(browser: Browser, app: Flask, outside: str) -> None:
    messages: list[str] = []
    requested: list[str] = []
    with serving(app) as url, browser.new_context(color_scheme=outside) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda each: messages.append(each.text))
        page.on("request", lambda each: requested.append(each.url))
        for state in ("form", "email"):
            page.goto(f"{url}/?state={state}", wait_until="networkidle")
            grounds = {
                frame.url.rpartition("=")[2]: hexadecimal(
                    frame.evaluate("""() => getComputedStyle(document.querySelector('main, .c')).backgroundColor""")
                )
                for frame in page.frames[1:]
            }
            assert grounds == {"light": "#ffffff", "dark": "#161e24"}
        page.goto(f"{url}/?state=message-html", wait_until="networkidle")
        page.frames[1].get_by_role("link").click()
        page.frames[1].get_by_role("button", name="Send feedback").wait_for()
    assert [each for each in messages if "422" not in each] == []
    assert {each for each in requested if not each.startswith((url, "data:"))} == set()


def test_error_in_settings_is_shown() -> None:
    result = CliRunner().invoke(main, ["--port", "0"], env={"REDIS_URL": "nonsense"})
    assert result.exit_code == 1
    assert "REDIS_URL: is not the URL of a Redis" in result.output
