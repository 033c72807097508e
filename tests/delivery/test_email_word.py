"""The e-mail in Outlook on Windows, rendered by Word."""

import re
from dataclasses import replace

import pytest

from service.surveys.language_codes import LANGUAGES
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from tests.delivery import word
from tests.delivery.logos import PNG_THEME
from tests.delivery.test_email_text import BRANDING, part, write

CSAT, NPS, THUMBS = RatingType


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("rating", RatingType)
def test_word_renders_the_email_without_faults(rating: RatingType, code: str) -> None:
    branding = replace(BRANDING, theme=PNG_THEME, privacy_url="https://northwind.example/privacy")
    assert word.faults(part(write(branding, rating=rating, language=load_language(code)), "html")) == []


@pytest.mark.parametrize("rating", RatingType)
def test_the_card_and_the_footer_are_560_pixels_wide(rating: RatingType) -> None:
    root = word.read(part(write(rating=rating), "html"))
    (card,) = [each for each in root.walk() if each.style.get("max-width") == "560px"]
    (footer,) = [each for each in root.walk() if each.tag == "p" and "in touch" in each.text]
    for each in (card, footer):
        assert [table.attributes["width"] for table in each.ancestors("table")] == ["560", "100%"]


@pytest.mark.parametrize(("rating", "tolerance"), [(CSAT, 1.0), (THUMBS, 1.0), (NPS, 0.0)])
def test_links_below_each_other_are_equally_wide(rating: RatingType, tolerance: float) -> None:
    """Widths are in ems, with each space stretched as by Word."""
    root = word.read(part(write(rating=rating), "html"))
    sheet = word.rules(root)

    def ems(link: word.Element) -> float:
        total = 0.0
        for each in link.content:
            if isinstance(each, str):
                total += 0.55 * len(each) if rating is not NPS else 0
                continue
            style = {**sheet.get(f".k {each.tag}", {}), **each.style}
            one = 0.278 * 20 / 16 if each.text[0] == "\u00a0" else 1
            total += one * len(each.text) * float(style["mso-font-width"].removesuffix("%")) / 100
        return total

    widths = [ems(each) for each in root.walk() if each.tag == "a" and "?r=" in each.attributes["href"]]
    assert max(widths) - min(widths) <= tolerance
    if rating is NPS:
        assert 2 * 16 < 16 * widths[0] + 18 < 78, "a sixth of the card"


@pytest.mark.parametrize(("rating", "percent"), [(CSAT, 300), (THUMBS, 300), (NPS, 500)])
def test_an_answer_has_space_at_its_sides(rating: RatingType, percent: int) -> None:
    sheet = word.rules(word.read(part(write(rating=rating), "html")))
    assert sheet[".k i"]["mso-font-width"] == f"{percent}%"


def test_an_answer_is_one_link_with_its_text() -> None:
    """The parts for Word are white space only, so a screen reader reads the answer alone."""
    root = word.read(part(write(), "html"))
    links = [each for each in root.walk() if each.tag == "a" and "?r=" in each.attributes["href"]]
    assert [" ".join(each.text.split()) for each in links[:1]] == ["1 Very dissatisfied"]
    assert len(links) == 5


FAULTS = [
    (
        "no table around the card",
        r"<!--\[if mso\]><table[^>]*width=\"560\".*?<!\[endif\]-->|<!--\[if mso\]></td></tr></table><!\[endif\]-->",
        "",
    ),
    ("a width that is not scaled", r' style="width:560px"', ""),
    ("a padded cell", r'(<td style="border:1px solid #6f7b87)', r"\1;padding:12px 16px"),
    ("a padded table", r'cellpadding="0" cellspacing="8"', 'cellpadding="12" cellspacing="8"'),
    ("a cell padded for Word", r"\.k a\{", ".k td{mso-padding-alt:12px 16px}.k a{"),
    ("a link without spaces", r"<[ib]>\u00a0</[ib]>", ""),
    ("spaces that are not stretched", r"mso-font-width:300%;", ""),
    ("a link as high as its text", r"mso-text-raise:18pt", "mso-text-raise:0"),
    (
        "options as wide as the card",
        r'<!--\[if mso\]><table role="presentation" cell[^>]*><!\[endif\]-->|<!--\[if !mso\]><!-->|<!--<!\[endif\]-->',
        "",
    ),
    ("a preview that is seen", r";mso-hide:all", ""),
    ("a margin of a div", r'<div style="', '<div style="margin:0 0 8px;'),
    ("a negative margin", r'style="margin:16px', 'style="margin:-16px'),
    ("a flexible box", r"display:block", "display:flex"),
    ("a picture of any size", r' width="\d+" height="\d+"', ""),
    ("an unknown unit", r"font-size:24px", "font-size:1.5rem"),
    ("an unknown property", r"text-wrap:balance", "float:left"),
    ("importance in a style", r"text-decoration:none", "text-decoration:none!important"),
]


@pytest.mark.parametrize(("pattern", "instead"), [each[1:] for each in FAULTS], ids=[each[0] for each in FAULTS])
def test_each_fault_is_found(pattern: str, instead: str) -> None:
    html = part(write(replace(BRANDING, theme=PNG_THEME)), "html")
    broken, times = re.subn(pattern, instead, html)
    assert times
    assert word.faults(broken) != []
