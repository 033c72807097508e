"""How the brand looks on the page and in the e-mail: its accent in both themes, and its logo.

A colour that customers couldn't read is refused here, so that nothing later has to look. Contrast is WCAG 2.2's.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from marshmallow import ValidationError

READABLE: Final = 4.5
"""The least contrast of a text (WCAG 2.2, 1.4.3)."""

MOST_LOGO_BYTES: Final = 3000
"""In Base64 that's 4,000 bytes in every page: with it the largest page still comes in the first round trip."""

_STEPS = 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = "{http://www.w3.org/2000/svg}"
_FOREIGN_STYLE = re.compile(r"@import|url\(\s*['\"]?(?!#|data:)|expression\(", re.IGNORECASE)

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """What of the style sheet an accent meets: text on `card` and `ground`, and `on_accent` as text on itself."""

    name: str
    card: str
    ground: str
    ink: str
    on_accent: str
    tint: float
    """The share of the accent in the ground of what is chosen."""


LIGHT: Final = Theme("light", card="#ffffff", ground="#f3f5f6", ink="#15202b", on_accent="#fff", tint=0.1)
DARK: Final = Theme("dark", card="#161e24", ground="#0e1418", ink="#eef3f5", on_accent="#0e1418", tint=0.16)


@dataclass(frozen=True, slots=True)
class Shades:
    """The accent of one theme, the text on it, and the ground that is tinted with it."""

    accent: str
    on_accent: str
    tint: str

    @property
    def css(self) -> str:
        """How the style sheet spells them."""
        return f"--accent: {self.accent}; --on: {self.on_accent}; --tint: {self.tint};"


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture as `data:` URI; whether it `adapts` to a dark ground by itself."""

    uri: str = field(repr=False)
    adapts: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What a brand looks like. The defaults are those of the style sheet."""

    light: Shades = Shades("#0b5d56", "#fff", "#e7f2f0")
    dark: Shades = Shades("#6fd6c6", "#04211d", "#12332f")
    logo: Logo | None = None


DEFAULT_LOOK: Final = Look()


def make_look(accent: str, dark_accent: str | None, logo: Logo | None) -> Look:
    """Make a look of accents that were checked; without one for the dark theme, it is made from the other."""
    if dark_accent is None and accent != DEFAULT_LOOK.light.accent:
        dark_accent = nearest_readable(accent, DARK)
    dark_accent = dark_accent or DEFAULT_LOOK.dark.accent
    return Look(_shades(accent, LIGHT, DEFAULT_LOOK.light), _shades(dark_accent, DARK, DEFAULT_LOOK.dark), logo)


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def is_readable(accent: str, theme: Theme) -> bool:
    """Say whether an accent is readable wherever the style sheet has it.

    As a link on the card and, in the footer, on the ground; as a button below its words; and as a tint below the ink.
    """
    pairs = ((accent, theme.card), (accent, theme.ground), (accent, theme.on_accent), (_tint(accent, theme), theme.ink))
    return all(contrast(*pair) >= READABLE for pair in pairs)


@lru_cache
def nearest_readable(accent: str, theme: Theme) -> str:
    """Find the readable colour of the same hue and saturation that is nearest in lightness; a readable one is itself.

    Black on the light card and white on the dark one are readable, so there always is one.
    """
    return next(each for each in _darker_and_lighter(accent) if is_readable(each, theme))


def label(text: str) -> str:
    """Read a name that customers see."""
    if len(text) > 60 or not text.isprintable():  # noqa: PLR2004 - the number stands in the message below
        raise ValidationError("has more than 60 characters, or ones that can't be shown. Write a short name.")
    return text


def light_accent(text: str) -> str:
    """Read the accent of the light theme."""
    return _accent(text, LIGHT)


def dark_accent(text: str) -> str:
    """Read the accent of the dark theme."""
    return _accent(text, DARK)


def _accent(text: str, theme: Theme) -> str:
    found = re.fullmatch(r"#?([0-9a-f]{6})", text.lower())
    if not found:
        raise ValidationError("is not a colour. Write it as #rrggbb, such as #0b5d56.")
    colour = f"#{found[1]}"
    if not is_readable(colour, theme):
        raise ValidationError(
            f"can't be read on the page's {theme.name} ground, or its words on it: that takes a contrast of "
            f"{READABLE}:1. The nearest that can be is {nearest_readable(colour, theme)}."
        )
    return colour


def logo(text: str) -> Logo:
    """Read the picture at a path."""
    try:
        content = Path(text).read_bytes()
    except (OSError, ValueError) as error:
        raise ValidationError(
            f"can't be read ({type(error).__name__}). Name an SVG or PNG file; a path without a / in front begins "
            "where the process starts."
        ) from error
    if len(content) > MOST_LOGO_BYTES:
        raise ValidationError(
            f"has {len(content):,} bytes, and at most {MOST_LOGO_BYTES:,} are taken: it is part of every page. "
            f"Make it smaller: an SVG without what its editor left in it, or a PNG of 64 pixels' height."
        )
    if content.startswith(_PNG):
        return Logo(_uri("image/png", content), adapts=False)
    _check_svg(content)
    return Logo(_uri("image/svg+xml", content), adapts=adapts(content))


def adapts(content: bytes) -> bool:
    """Say whether a picture looks at the ground that it is on; a PNG never does."""
    return b"prefers-color-scheme" in content and not content.startswith(_PNG)


def _check_svg(content: bytes) -> None:
    """Refuse what no picture needs: scripts, references, entities. An <img> would run and load none of it anyway."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"<?xml-stylesheet" in content:
        raise ValidationError("has a document type, an entity or a foreign style sheet. Export it as plain shapes.")
    try:
        # Without a document type there are no entities to expand; a text leaves no other encoding to hide one in.
        root = ET.fromstring(content.decode())  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ValidationError("is neither a PNG nor an SVG file that can be read.") from error
    if root.tag != f"{_SVG}svg":
        raise ValidationError('is no SVG file: it has to begin with <svg xmlns="http://www.w3.org/2000/svg">.')
    for element in root.iter():
        for problem in _problems(element):
            raise ValidationError(f"has {problem}, which no logo needs. Export it as plain shapes.")


def _problems(element: "ET.Element") -> Iterator[str]:
    name = str(element.tag).removeprefix(_SVG)
    if name in {"script", "foreignObject", "iframe", "handler"}:
        yield f"<{name}>"
    if name == "style" and _FOREIGN_STYLE.search(element.text or ""):
        yield "a style that loads something"
    for key, value in element.attrib.items():
        attribute = key.rpartition("}")[2].lower()
        if attribute.startswith("on"):
            yield f"the script {attribute}"
        is_foreign = attribute in {"href", "src"} and not value.strip().startswith(("#", "data:image/"))
        if is_foreign or _FOREIGN_STYLE.search(value):
            yield f"a reference to elsewhere ({attribute})"


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _shades(accent: str, theme: Theme, designed: Shades) -> Shades:
    return designed if accent == designed.accent else Shades(accent, theme.on_accent, _tint(accent, theme))


def _tint(accent: str, theme: Theme) -> str:
    """Lay a little of the accent over the card."""
    pairs = zip(_rgb(accent), _rgb(theme.card), strict=True)
    return _hex(tuple(round(theme.tint * over + (1 - theme.tint) * under) for over, under in pairs))


def _darker_and_lighter(accent: str) -> Iterator[str]:
    """Give a colour and its neighbours in lightness, the nearest first."""
    hue, lightness, saturation = rgb_to_hls(*(part / 255 for part in _rgb(accent)))
    for step in range(_STEPS + 1):
        for moved in (lightness - step / _STEPS, lightness + step / _STEPS):
            if step == 0:
                yield accent
            elif 0 <= moved <= 1:
                yield _hex(tuple(round(255 * part) for part in hls_to_rgb(hue, moved, saturation)))
    yield from ("#000000", "#ffffff")


def _rgb(colour: str) -> Rgb:
    digits = colour.removeprefix("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == len("fff") else digits
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    return red, green, blue


def _hex(parts: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in parts)


def _luminance(colour: Rgb) -> float:
    """Give the relative luminance (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]  # noqa: PLR2004
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
