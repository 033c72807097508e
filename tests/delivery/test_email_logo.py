"""The logo is attached to the e-mail: Gmail and Outlook show neither a `data:` URI nor an SVG."""

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from service.delivery.email.parts import inline_pictures
from service.delivery.email.text import write_email
from service.surveys.brand import OwnBrand
from service.surveys.language_codes import LANGUAGES
from service.surveys.theme import MAX_LOGO_BYTES, Logo, Theme
from service.texts.catalog import load_language
from tests.delivery.logos import PNG_THEME, SVG_THEME, png, theme_with
from tests.delivery.test_email_text import BRANDING, EMAIL, ParsedHtml, part, write


def pictures(message: EmailMessage) -> list[dict[str, str | None]]:
    return [dict(attributes) for tag, attributes in ParsedHtml(part(message, "html")).elements if tag == "img"]


def test_a_png_logo_is_attached() -> None:
    message = write(replace(BRANDING, theme=PNG_THEME))
    assert message.get_content_type() == "multipart/alternative"
    text, related = message.iter_parts()
    assert (text.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
    html, picture = related.iter_parts()
    assert (html.get_content_type(), picture.get_content_type()) == ("text/html", "image/png")
    assert picture.get_content() == png(180, 64)
    assert picture["Content-Disposition"].content_disposition == "inline"
    assert [each.defects for each in message.walk()] == [[], [], [], [], []]
    (shown,) = pictures(message)
    assert shown["src"] == f"cid:{picture['Content-ID'].strip('<>')}"
    assert (shown["alt"], shown["width"], shown["height"]) == ("Northwind", "90", "32")
    assert message["Content-Language"] == "en"


def test_a_survey_shows_the_logo_of_its_own_brand() -> None:
    own = OwnBrand(name="Southwind", logo=theme_with(png(64, 64)).logo)
    message = write(replace(BRANDING, theme=PNG_THEME), brand=own)
    assert [(each["alt"], each["width"]) for each in pictures(message)] == [("Southwind", "32")]
    none = write(replace(BRANDING, theme=PNG_THEME), brand=OwnBrand(logo=Logo("", adapts=False)))
    assert pictures(none) == []


def test_the_logo_is_not_fetched() -> None:
    html = part(write(replace(BRANDING, theme=PNG_THEME)), "html")
    assert "data:" not in html
    assert html.count("src=") == html.count('src="cid:') == 1


@pytest.mark.parametrize(
    "theme",
    [BRANDING.theme, SVG_THEME, theme_with(png(180, 64)[:20]), theme_with(png(0, 64)), theme_with(png(64, 0))],
    ids=["no logo", "SVG", "truncated PNG", "PNG without width", "PNG without height"],
)
def test_without_a_usable_logo_the_name_is_shown(theme: Theme) -> None:
    message = write(replace(BRANDING, theme=theme))
    assert pictures(message) == []
    assert [each.get_content_type() for each in message.iter_parts()] == ["text/plain", "text/html"]
    assert ">Northwind</p>" in part(message, "html")


@pytest.mark.parametrize(
    ("size", "shown"),
    [((64, 64), (32, 32)), ((16, 16), (32, 32)), ((1200, 60), (240, 12)), ((2, 2000), (1, 32)), ((2000, 2), (240, 1))],
)
def test_the_logo_is_scaled_to_32_by_240_pixels(size: tuple[int, int], shown: tuple[int, int]) -> None:
    (picture,) = pictures(write(replace(BRANDING, theme=theme_with(png(*size)))))
    assert (picture["width"], picture["height"]) == tuple(map(str, shown))


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_logo_adds_at_most_4700_bytes(code: str) -> None:
    largest = png(180, 64).ljust(MAX_LOGO_BYTES, b"\0")
    email = replace(EMAIL, language=load_language(code))
    with_logo = write_email(replace(BRANDING, theme=theme_with(largest)), email)
    assert len(with_logo) - len(write_email(BRANDING, email)) <= 4_700
    assert all(len(line) <= 76 for line in with_logo.partition(b"\r\n\r\n")[2].split(b"\r\n"))


def test_the_logo_is_inlined_for_browsers() -> None:
    raw = write_email(replace(BRANDING, theme=PNG_THEME), EMAIL)
    html = inline_pictures(message_from_bytes(raw, policy=default))
    assert "cid:" not in html
    assert PNG_THEME.logo
    assert f'src="{PNG_THEME.logo.uri}"' in html
