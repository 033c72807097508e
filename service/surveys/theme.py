"""The brand's colours in the light and the dark scheme, and its logo.

An accent without enough contrast is refused at start, so no page has to check it. Contrast is WCAG 2.2's.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

READABLE: Final = 4.5
"""The minimum contrast of text (WCAG 2.2, 1.4.3)."""

MAX_LOGO_BYTES: Final = 3000
"""4,000 bytes as Base64 in every page: the largest page still fits the first round trip."""

_STEPS = 1024
_PNG = b"\x89PNG\r\n\x1a\n"

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ColourScheme:
    """The style sheet's other colours. An accent is text on `card` and `ground`, and a button below `on_accent`."""

    name: str
    card: str
    ground: str
    ink: str
    on_accent: str
    tint: float
    """The share of the accent in the background of a chosen option."""


LIGHT: Final = ColourScheme("light", card="#ffffff", ground="#f3f5f6", ink="#15202b", on_accent="#fff", tint=0.1)
DARK: Final = ColourScheme("dark", card="#161e24", ground="#0e1418", ink="#eef3f5", on_accent="#0e1418", tint=0.16)


@dataclass(frozen=True, slots=True)
class Shades:
    """The accent in one scheme, the text on it, and the background tinted with it."""

    accent: str
    on_accent: str
    tint: str

    @property
    def css(self) -> str:
        """The variables as the style sheet spells them."""
        return f"--accent: {self.accent}; --on: {self.on_accent}; --tint: {self.tint};"


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture as a `data:` URI. One that `adapts` has colours of its own for a dark background."""

    uri: str = field(repr=False)
    adapts: bool


@dataclass(frozen=True, slots=True)
class Theme:
    """A brand's colours and logo. The defaults are those of the style sheet."""

    light: Shades = Shades("#0b5d56", "#fff", "#e7f2f0")
    dark: Shades = Shades("#6fd6c6", "#04211d", "#12332f")
    logo: Logo | None = None


DEFAULT_THEME: Final = Theme()


@lru_cache
def make_theme(accent: str, dark_accent: str | None, logo: Logo | None) -> Theme:
    """Make a theme of readable accents. Without a dark accent, derive it from the light one."""
    if dark_accent is None and accent != DEFAULT_THEME.light.accent:
        dark_accent = nearest_readable(accent, DARK)
    dark_accent = dark_accent or DEFAULT_THEME.dark.accent
    return Theme(_shades(accent, LIGHT, DEFAULT_THEME.light), _shades(dark_accent, DARK, DEFAULT_THEME.dark), logo)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def is_readable(accent: str, scheme: ColourScheme) -> bool:
    """Return whether all text has enough contrast: links on card and ground, text on buttons and on the tint."""
    pairs = [(accent, other) for other in (scheme.card, scheme.ground, scheme.on_accent)]
    return all(contrast(*pair) >= READABLE for pair in [*pairs, (_tint(accent, scheme), scheme.ink)])


@lru_cache
def nearest_readable(accent: str, scheme: ColourScheme) -> str:
    """Return the readable colour of the same hue and saturation with the nearest lightness.

    It always exists: black is readable in the light scheme, and white in the dark one.
    """
    return next(each for each in _by_lightness(accent) if is_readable(each, scheme))


def label(text: str) -> str:
    """Parse a name for customers."""
    if len(text) > 60 or not text.isprintable():  # noqa: PLR2004 - the number stands in the message below
        raise ValueError("has more than 60 characters, or ones that can't be shown. Write a short name.")
    return text


def light_accent(text: str) -> str:
    """Parse the accent of the light scheme."""
    return _accent(text, LIGHT)


def dark_accent(text: str) -> str:
    """Parse the accent of the dark scheme."""
    return _accent(text, DARK)


def _accent(text: str, scheme: ColourScheme) -> str:
    found = re.fullmatch(r"#?([0-9a-f]{6})", text.lower())
    if not found:
        raise ValueError("is not a colour. Write it as #rrggbb, such as #0b5d56.")
    colour = f"#{found[1]}"
    if not is_readable(colour, scheme):
        raise ValueError(
            f"has too little contrast with the page's {scheme.name} ground or with the text on it: {READABLE}:1 is the "
            f"minimum. The nearest readable colour is {nearest_readable(colour, scheme)}."
        )
    return colour


def logo(text: str) -> Logo:
    """Read the picture at a path.

    An SVG isn't searched for scripts and references: the page shows it in an <img>, where browsers run and load none.
    """
    try:
        content = Path(text).read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"can't be read ({type(error).__name__}). Name an SVG or PNG file. A relative path starts in the working "
            "folder of the process."
        ) from error
    if len(content) > MAX_LOGO_BYTES:
        raise ValueError(
            f"has {len(content):,} bytes, and at most {MAX_LOGO_BYTES:,} are allowed: it is part of every page. "
            f"Make it smaller: an SVG without its editor's metadata, or a PNG of 64 pixels' height."
        )
    if content.startswith(_PNG):
        return Logo(_uri("image/png", content), adapts=False)
    if b"<svg" not in content:
        raise ValueError("is neither a PNG nor an SVG file.")
    return Logo(_uri("image/svg+xml", content), adapts=b"prefers-color-scheme" in content)


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _shades(accent: str, scheme: ColourScheme, designed: Shades) -> Shades:
    return designed if accent == designed.accent else Shades(accent, scheme.on_accent, _tint(accent, scheme))


def _tint(accent: str, scheme: ColourScheme) -> str:
    """Mix a little of the accent into the card."""
    pairs = zip(_rgb(accent), _rgb(scheme.card), strict=True)
    return _hex(tuple(round(scheme.tint * over + (1 - scheme.tint) * under) for over, under in pairs))


def _by_lightness(accent: str) -> Iterator[str]:
    """Yield a colour, then darker and lighter ones, the nearest first."""
    hue, lightness, saturation = rgb_to_hls(*(part / 255 for part in _rgb(accent)))
    yield accent
    for step in range(1, _STEPS + 1):
        for moved in (lightness - step / _STEPS, lightness + step / _STEPS):
            if 0 <= moved <= 1:
                yield _hex(tuple(round(255 * part) for part in hls_to_rgb(hue, moved, saturation)))
    yield from ("#000000", "#ffffff")


def _rgb(colour: str) -> Rgb:
    digits = colour.removeprefix("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == len("fff") else digits
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _hex(parts: tuple[int, ...]) -> str:
    return f"#{bytes(parts).hex()}"


def _luminance(colour: Rgb) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]  # noqa: PLR2004
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
