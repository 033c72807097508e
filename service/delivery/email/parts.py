"""The options and the logo of the e-mail's HTML. The options are as large in Outlook on Windows as elsewhere."""

import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from math import ceil
from typing import Final

from service.surveys.ratings import RatingType
from service.surveys.theme import Theme

LOGO_ID: Final = "logo@afterword"
"""The Content-ID of the logo (RFC 2392). It has to be unique within one e-mail only."""

_PNG_URI = "data:image/png;base64,"
_SIZE_AT = slice(16, 24)
"""The width and height of a PNG, in its first chunk (PNG specification, 11.2.1)."""

_LOGO_HEIGHT, _LOGO_MAX_WIDTH = 32, 240
"""In pixels. The page shows the logo at the same height."""

_MIN_LETTERS = 12
"""The minimum width of an answer in letters, so that a "No" is easy to tap."""

_LETTER_EMS = 0.55
"""The average width of a letter of bold Arial."""

_MAX_EMS = 5
"""Word stretches a character to about five times its width at most."""


@dataclass(frozen=True, slots=True)
class OptionCell:
    """A cell of the options. In Word, `fill` spaces of `stretch` per cent of an em follow its text."""

    link: str
    text: str
    fill: int = 0
    stretch: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """The logo as a PNG, and its size on the screen in pixels."""

    content: bytes = field(repr=False)
    width: int
    height: int


def make_options(rating: RatingType, options: Mapping[int, str], link: str) -> list[OptionCell]:
    """Make the cells. Word needs filling spaces to make links below each other equally wide; numbers are so already."""
    if rating is RatingType.NPS:
        return [OptionCell(f"{link}?r={score}", text) for score, text in options.items()]
    is_numbered = rating is RatingType.CSAT
    texts = {score: f"{score}\u00a0\u00a0{text}" if is_numbered else text for score, text in options.items()}
    longest = max(_MIN_LETTERS, *map(len, texts.values()))
    return [OptionCell(f"{link}?r={score}", text, *_fill(longest - len(text))) for score, text in texts.items()]


def _fill(letters: int) -> tuple[int, int]:
    """Return the number of spaces as wide as `letters`, and how far each is stretched, in per cent."""
    ems = _LETTER_EMS * letters
    spaces = ceil(ems / _MAX_EMS)
    return spaces, round(100 * ems / spaces) if spaces else 0


def inline_pictures(message: EmailMessage) -> str:
    """Return the HTML of an e-mail with its pictures as `data:` URIs, for a browser."""
    html = message.get_body(("html",))
    shown = str(html.get_content()) if html else ""
    for part in message.walk():
        if part["Content-ID"]:
            picture = b64encode(part.get_content()).decode()
            shown = shown.replace(
                f"cid:{part['Content-ID'].strip('<> ')}", f"data:{part.get_content_type()};base64,{picture}"
            )
    return shown


def make_picture(theme: Theme) -> Picture | None:
    """Return the logo if it is a PNG. Gmail shows no SVG, and no common mail program shows a `data:` URI."""
    if theme.logo is None or not theme.logo.uri.startswith(_PNG_URI):
        return None
    content = b64decode(theme.logo.uri.removeprefix(_PNG_URI))
    if len(content) < _SIZE_AT.stop:
        return None
    width, height = struct.unpack(">II", content[_SIZE_AT])
    if not (width and height):
        return None
    scale = min(_LOGO_HEIGHT / height, _LOGO_MAX_WIDTH / width)
    return Picture(content, max(1, round(width * scale)), max(1, round(height * scale)))
