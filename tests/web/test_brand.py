"""The brand's colours and logo on real pages, each small and a single request."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser

from service.surveys.language_codes import LANGUAGES
from service.surveys.theme import DARK, LIGHT, Logo, Theme, contrast, make_theme, nearest_readable
from service.texts.catalog import load_language
from service.web.app import create_app
from service.web.stylesheet import stylesheet_for
from tests.browser.conftest import serving
from tests.processes import settings_for
from tests.web.states import CONTEXT, STATES, make_app
from tests.web.survey_client import TOKEN, get, make_client
from tests.web.weights import GZIPPED_BYTES, RAW_BYTES, weigh

SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 32" width="160" height="32">
<rect width="160" height="32" rx="6" fill="#7a00e6"/><circle cx="16" cy="16" r="9" fill="#fff"/></svg>"""
VIOLET = make_theme("#7a00e6", None, None)


@pytest.fixture
def logo(tmp_path: Path) -> str:
    file = tmp_path / "logo.svg"
    file.write_text(SVG)
    return str(file)


def test_page_has_brand_colours_and_matching_policy(redis_url: str, keys: "redis.Redis", logo: str) -> None:
    client = make_client(redis_url, BRAND_ACCENT="#7a00e6", BRAND_NAME="North & Wind", BRAND_LOGO=logo)
    for path in (TOKEN, "not-a-token", f"{TOKEN}/stop"):
        response = get(client, path)
        (sheet,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
        digest = b64encode(sha256(sheet.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]
        assert "img-src 'self' data:" in response.headers["Content-Security-Policy"]
        assert "#7a00e6" in sheet
        assert "#b056ff" in sheet
        assert "#0b5d56" not in sheet
        uri = f"data:image/svg+xml;base64,{b64encode(SVG.encode()).decode()}"
        assert f'<header><img class=plate src="{uri}" alt="North &amp; Wind"></header>' in response.text
        assert re.findall(r'(?:src|<link[^>]* href)="([^"]*)"', response.text) == ["data:,", uri]


def test_without_logo_page_shows_brand_name(redis_url: str, keys: "redis.Redis") -> None:
    html = get(make_client(redis_url, BRAND_NAME="Northwind")).text
    assert "<header><bdi>Northwind</bdi></header>" in html
    assert "img" not in html


@pytest.mark.parametrize("adapts", [True, False])
def test_fixed_logo_gets_light_plate_in_dark_theme(adapts: bool) -> None:  # noqa: FBT001
    theme = replace(VIOLET, logo=Logo("data:image/png;base64,AAAA", adapts))
    with make_app().test_request_context():
        html = STATES["form"](replace(CONTEXT, theme=theme)).get_data(as_text=True)
    assert ("background:#fff" in html) is not adapts


@pytest.mark.parametrize("name", STATES)
def test_every_state_with_logo_is_small(name: str) -> None:
    """The logo's own bytes don't count."""
    uri = "data:image/svg+xml;base64," + b64encode(b"x" * 3000).decode()
    theme = replace(make_theme("#123456", "#abcdef", None), logo=Logo(uri, adapts=False))
    with make_app().test_request_context():
        weights = [weigh(name, load_language(code), replace(CONTEXT, theme=theme)) for code in LANGUAGES]
    raw, gzipped = max(raw for raw, _ in weights), max(gzipped for _, gzipped in weights)
    print(f"page: {name} with a logo: {raw} bytes, {gzipped} gzipped")  # noqa: T201
    assert raw <= RAW_BYTES
    assert gzipped <= GZIPPED_BYTES


def test_largest_page_with_largest_logo_fits_first_round_trip() -> None:
    """Ten packets of 1,460 bytes (RFC 6928), headers included."""
    assert GZIPPED_BYTES + 4 * 3000 // 3 + 1500 <= 10 * 1460


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_colours_and_logo_without_requests(
    browser: Browser, redis_url: str, keys: "redis.Redis", logo: str, scheme: str
) -> None:
    settings = settings_for(redis_url, PUBLIC_URL="http://127.0.0.1", BRAND_ACCENT="#7a00e6", BRAND_LOGO=logo)
    messages: list[str] = []
    requested: list[str] = []
    with serving(create_app(settings)) as url, browser.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda each: messages.append(each.text))
        page.on("request", lambda each: requested.append(each.url))
        page.goto(f"{url}/s/{TOKEN}?r=4", wait_until="networkidle")
        drawn = page.evaluate("[document.images[0].complete, document.images[0].naturalWidth, document.images[0].alt]")
        button, card, tint = (
            page.evaluate(f"getComputedStyle(document.querySelector('{each}')).backgroundColor")
            for each in (".notice button", "main", "label input:checked")
        )
    assert drawn == [True, 160, "Support"]
    assert messages == []
    assert [each for each in requested if not each.startswith("data:")] == [f"{url}/s/{TOKEN}?r=4"]
    theme, shades = {"light": (LIGHT, VIOLET.light), "dark": (DARK, VIOLET.dark)}[scheme]
    assert [hexadecimal(each) for each in (button, card, tint)] == [shades.accent, theme.card, shades.tint]


def hexadecimal(rgb: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", rgb))


def test_each_theme_has_its_own_style_sheet() -> None:
    other = make_theme(nearest_readable("#ff0000", LIGHT), None, None)
    assert len({stylesheet_for("<body>", theme) for theme in (Theme(), VIOLET, other)}) == 3
    assert contrast(other.light.accent, "#fff") >= 4.5
