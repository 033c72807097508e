"""Colours with enough contrast, and logos."""

import re
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import SettingsError, read_settings
from service.surveys.theme import (
    DARK,
    DEFAULT_THEME,
    LIGHT,
    MAX_LOGO_BYTES,
    ColourScheme,
    contrast,
    is_readable,
    make_theme,
    nearest_readable,
)
from tests.config.test_settings import GOOD, mistakes
from tests.processes import ROOT

STYLE = (ROOT / "service" / "web" / "templates" / "style.css").read_text(encoding="utf-8")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 32">{}</svg>'
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(("shades", "scheme"), [(DEFAULT_THEME.light, LIGHT), (DEFAULT_THEME.dark, DARK)])
def test_the_style_sheet_has_the_colours_of_the_contrast_check(shades: object, scheme: ColourScheme) -> None:
    assert STYLE.count(shades.css) == 1  # type: ignore[attr-defined]
    root = next(block for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL) if shades.css in block)  # type: ignore[attr-defined]
    values = {name: "#" + "".join(each * 2 for each in value[1:]) if len(value) == 4 else value
            for name, value in re.findall(r"--(card|bg|ink): (#[0-9a-f]+)", root)}  # fmt: skip
    assert values == {"card": scheme.card, "bg": scheme.ground, "ink": scheme.ink}


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_the_default_theme_is_readable(scheme: ColourScheme) -> None:
    shades = {LIGHT: DEFAULT_THEME.light, DARK: DEFAULT_THEME.dark}[scheme]
    assert is_readable(shades.accent, scheme)
    assert contrast(shades.accent, shades.on_accent) >= 4.5
    assert contrast(scheme.ink, shades.tint) >= 4.5


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000", "#fff", 21), ("#777777", "#fff", 4.48), ("#ff0000", "#0000ff", 2.15)]
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_every_colour_has_a_nearest_readable_one_in_both_schemes(colour: str) -> None:
    theme = make_theme(nearest_readable(colour, LIGHT), None, None)
    for shades, scheme in ((theme.light, LIGHT), (theme.dark, DARK)):
        assert contrast(shades.accent, scheme.card) >= 4.5
        assert contrast(shades.accent, scheme.ground) >= 4.5
        assert contrast(shades.on_accent, shades.accent) >= 4.5
        assert contrast(scheme.ink, shades.tint) >= 4.5
        assert contrast(shades.accent, shades.tint) >= 3, "the edge of what is chosen, and of the notice's button"


@given(colours)
def test_only_readable_colours_are_accepted(colour: str) -> None:
    if is_readable(colour, LIGHT):
        assert read_settings({**GOOD, "BRAND_ACCENT": colour}).theme.light.accent == colour
    else:
        with pytest.raises(SettingsError, match=nearest_readable(colour, LIGHT)):
            read_settings({**GOOD, "BRAND_ACCENT": colour})


def test_the_nearest_readable_colour_has_the_same_hue() -> None:
    assert nearest_readable("#ff6600", LIGHT) == "#bf4c00"
    assert nearest_readable("#0000ff", DARK) == "#7373ff"


def test_the_default_theme_is_used_without_settings() -> None:
    assert read_settings(GOOD).theme == DEFAULT_THEME
    assert read_settings({**GOOD, "BRAND_ACCENT": "#0B5D56"}).theme == DEFAULT_THEME


def test_the_dark_accent_is_derived_or_given() -> None:
    assert read_settings({**GOOD, "BRAND_ACCENT": "7a00e6"}).theme.dark.accent == "#b056ff"
    given = read_settings({**GOOD, "BRAND_ACCENT": "#7a00e6", "BRAND_ACCENT_DARK": "#ffcc00"}).theme
    assert (given.light.accent, given.dark.accent) == ("#7a00e6", "#ffcc00")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BRAND_ACCENT", "#ffdd00", "nearest readable colour is #817000"),
        ("BRAND_ACCENT", "#777777", "nearest readable colour is #707070"),
        ("BRAND_ACCENT_DARK", "#0b5d56", "dark ground"),
        ("BRAND_ACCENT", "red", "Write it as #rrggbb"),
        ("BRAND_ACCENT", "#fff", "Write it as #rrggbb"),
        ("BRAND_ACCENT", "#0b5d56;}body{", "Write it as #rrggbb"),
        ("BRAND_LOGO", "no/such/file.svg", "FileNotFoundError"),
        ("BRAND_LOGO", "/", "IsADirectoryError"),
    ],
)
def test_an_unusable_colour_or_logo_is_refused_with_a_fix(name: str, value: str, words: str) -> None:
    (line,) = mistakes(**{name: value})
    assert line.startswith(f"  {name}: ")
    assert words in line


def logo(folder: Path, content: str | bytes) -> str:
    file = folder / "logo"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


@pytest.mark.parametrize(
    ("content", "kind", "adapts"),
    [
        (PNG, "image/png", False),
        (SVG.format("<path d='M0 0h9'/>"), "image/svg+xml", False),
        (SVG.format('<g id="a"/><use href="#a"/><path fill="url(#b)" d="M0 0"/>'), "image/svg+xml", False),
        (SVG.format("<style>@media (prefers-color-scheme: dark) { path { fill: #fff } }</style>"), "image/svg+xml", 1),
        ('<?xml version="1.0" encoding="UTF-8"?>\n<!-- ours -->' + SVG.format(""), "image/svg+xml", False),
    ],
)  # fmt: skip
def test_a_logo_is_embedded_unchanged(tmp_path: Path, content: str | bytes, kind: str, adapts: bool) -> None:  # noqa: FBT001
    found = read_settings({**GOOD, "BRAND_LOGO": logo(tmp_path, content)}).theme.logo
    assert found
    assert found.adapts == adapts
    start, _, data = found.uri.partition(",")
    assert start == f"data:{kind};base64"
    assert b64decode(data) == (content if isinstance(content, bytes) else content.encode())
    assert data not in repr(found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PNG + b"\x00" * MAX_LOGO_BYTES, "at most 3,000"),
        (b"GIF89a", "neither a PNG nor an SVG"),
        ("", "neither a PNG nor an SVG"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'/>", "neither a PNG nor an SVG"),
        (SVG.encode("utf-16"), "neither a PNG nor an SVG"),
    ],
)
def test_a_large_logo_and_other_files_are_refused(tmp_path: Path, content: str | bytes, words: str) -> None:
    (line,) = mistakes(BRAND_LOGO=logo(tmp_path, content))
    assert line.startswith("  BRAND_LOGO: ")
    assert words in line
