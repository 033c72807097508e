"""How we speak to customers: the texts of a language, its numbers, dates and direction. Used by page and messages.

The catalogs are gettext's, in `service/translations`, and are read from their .po files once per process. There is no
Flask-Babel: the worker writes messages from the same catalogs, and knows no Flask.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from config.languages import LANGUAGES

CATALOGS = Path(__file__).parent.parent / "translations"
DEFAULT = "en"
_WRITTEN_AS = {"en": "en_GB", "pt": "pt_PT"}
"""Where the plain code is the American way to write dates and numbers."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text for the catalogs. It is English, a whole sentence, and its places are named: `%(brand)s`."""
    return text


class Language:
    """One language. A text that its catalog doesn't have is said in English."""

    def __init__(self, code: str, name: str, texts: Mapping[str, str]) -> None:
        self.code = code
        self.name = name
        self._texts = texts
        self._locale = Locale.parse(_WRITTEN_AS.get(code, code))

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, as HTML's `dir` has it."""
        return "rtl" if self._locale.character_order == "right-to-left" else "ltr"

    def say(self, text: str, **facts: str) -> str:
        """Translate a text, and fill in its places."""
        translated = self._texts.get(text, text)
        return translated % facts if facts else translated

    def number(self, number: int) -> str:
        """Write a number, such as 2,000."""
        return format_decimal(number, locale=self._locale)

    def date(self, day: date) -> str:
        """Write a day, such as 12 May 2026, with spaces at which no line breaks."""
        return format_date(day, "long", locale=self._locale).replace(" ", "\N{NO-BREAK SPACE}")


@cache
def language(code: str) -> Language:
    """Read one of the LANGUAGES."""
    return Language(code, LANGUAGES[code][0], read_texts(CATALOGS / code / "LC_MESSAGES" / "messages.po"))


def read_texts(path: Path) -> Mapping[str, str]:
    """Read the finished translations of a catalog."""
    with path.open("rb") as file:
        catalog = read_po(file)
    return {str(each.id): str(each.string) for each in catalog if each.id and each.string and not each.fuzzy}
