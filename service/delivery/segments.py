"""Measures an SMS in GSM-7 septets or UCS-2 units, and in the segments charged by a carrier.

Source: 3GPP TS 23.038 (6.2.1, 6.2.1.1, 6.2.3) and TS 23.040 (9.2.3.24), without the national shift tables, since hardly
any carrier supports them. One character outside of GSM-7 turns the whole text into UCS-2.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Each takes two septets: the escape and the character."""

_LAST_OF_ONE_UNIT: Final = "\uffff"

_PLAIN: Final = {
    **dict.fromkeys("“”„‟«»″〝〞", '"'),
    **dict.fromkeys("‘’‚‛‹›′`´", "'"),
    **dict.fromkeys("−•", "-"),
    "…": "...",
}
_PLAIN_KIND: Final = {"Zs": " ", "Pd": "-", "Cf": ""}
"""Unicode's categories of spaces, dashes and invisible characters.

`_PLAIN` and `_PLAIN_KIND` are all that `to_gsm7` replaces. No letter of any language is among them.
"""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an SMS. `units` are septets of GSM-7, or 16-bit units of UCS-2."""

    encoding: str
    units: int
    segments: int

    def __str__(self) -> str:
        name = "segment" if self.segments == 1 else "segments"
        return f"{self.segments} {name} ({self.units} characters of {self.encoding})"


def is_gsm7(text: str) -> bool:
    """Return whether GSM-7 has every character of a text."""
    return all(character in _BASIC or character in _EXTENSION for character in text)


def to_gsm7(text: str) -> str:
    """Replace punctuation by its GSM-7 equivalent, if the text fits GSM-7 then. Otherwise return it unchanged.

    Letters are never replaced. A text that needs UCS-2 for a letter gains nothing from plain punctuation.
    """
    plain = "".join(_plain(character) for character in unicodedata.normalize("NFC", text))
    return plain if is_gsm7(plain) else text


def _plain(character: str) -> str:
    if character in _BASIC:
        return character
    return _PLAIN.get(character) or _PLAIN_KIND.get(unicodedata.category(character), character)


def measure(text: str) -> Size:
    """Return the size of a text as an SMS. An empty text is one segment."""
    if is_gsm7(text):
        return _size("GSM-7", [2 if each in _EXTENSION else 1 for each in text], one=160, several=153)
    return _size("UCS-2", [2 if each > _LAST_OF_ONE_UNIT else 1 for each in text], one=70, several=67)


def _size(encoding: str, widths: Sequence[int], *, one: int, several: int) -> Size:
    """Count segments. An escape sequence or a surrogate pair is never split, so one unit may stay empty."""
    units = sum(widths)
    if units <= one:
        return Size(encoding, units, 1)
    segments, used = 1, 0
    for width in widths:
        if used + width > several:
            segments, used = segments + 1, 0
        used += width
    return Size(encoding, units, segments)
