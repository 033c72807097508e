"""The texts of a language, with its numbers, dates and direction. Pages, e-mails and messages all use it.

The gettext catalogs are in `service/texts/translations`. Each .po file is read once per process. There is no
Flask-Babel, because the worker writes messages from the same catalogs without Flask.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from service.surveys.language_codes import LANGUAGES

CATALOGS = Path(__file__).with_name("translations")
DEFAULT = "en"
_WRITTEN_AS = {"en": "en_GB", "pt": "pt_PT"}
"""Babel formats dates and numbers of the plain codes the American or Brazilian way."""
_RIGHT_TO_LEFT = {"ar", "he"}
_NAMES = ("brand", "host", "operator")
"""Placeholders that may be filled in another script than the text's."""
_DAY = timedelta(days=1)
_HOUR, _MINUTE, _SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
_UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], timedelta, timedelta], ...] = (
    ("day", _DAY, 2 * _DAY),
    ("hour", _HOUR, 2 * _HOUR),
    ("minute", _MINUTE, _MINUTE),
    ("second", _SECOND, _SECOND),
)
"""Units of a duration: name, length, and the shortest duration they are used for. A day and a half is 36 hours."""
_INSTANT = timedelta(seconds=5)
"""Added before rounding down to minutes: building the page takes a moment, and "5 minutes" must not become "4"."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text for the catalogs: a whole English sentence with named placeholders, such as `%(brand)s`."""
    return text


class Language:
    """One language. A text without a translation stays English."""

    def __init__(self, code: str, name: str, texts: Mapping[str, str]) -> None:
        self.code = code
        self.name = name
        self.direction = "rtl" if code in _RIGHT_TO_LEFT else "ltr"
        """Text direction, as in HTML's `dir`."""
        self._texts = texts

    @cached_property
    def _locale(self) -> Locale:
        """Babel's data of the language, which are large. A worker without e-mails writes no number and no date."""
        return Locale.parse(_WRITTEN_AS.get(self.code, self.code))

    def translate(self, text: str, **values: str) -> str:
        """Translate a text and fill in its placeholders."""
        translated = self._texts.get(text, text)
        values |= {name: self.isolate(values[name]) for name in _NAMES if name in values}
        return translated % values if values else translated

    def isolate(self, name: str) -> str:
        """Isolate a name's direction: in right-to-left text, "24 Shop (DK)" would be reordered."""
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" if self.direction == "rtl" else name

    def format_number(self, number: int) -> str:
        """Format a number, such as 2,000."""
        return format_decimal(number, locale=self._locale)

    def format_date(self, day: date) -> str:
        """Format a date, such as 12 May 2026, with no-break spaces."""
        written = format_date(day, "long", locale=self._locale)
        if self.code == "fr" and day.day == 1:
            # CLDR writes "1 juin", where French says "1er juin".
            written = written.replace("1", "1er", 1)
        return written.replace(" ", "\N{NO-BREAK SPACE}")

    def format_days(self, time: timedelta) -> str:
        """Format a duration in days, rounded up, such as 90 days, with no-break spaces."""
        whole = -(-time // _DAY)
        if self.code == "mt":
            # CLDR lacks the Maltese word.
            return f"{whole}\N{NO-BREAK SPACE}jum"
        written = format_timedelta(whole * _DAY, granularity="day", threshold=inf, locale=self._locale)
        return written.replace(" ", "\N{NO-BREAK SPACE}")

    def format_moment(self, at: datetime, now: datetime) -> str:
        """Format a moment in the time zone of `at`: the time, with the date unless it is today.

        UTC is named, because it is hardly anybody's own time.
        """
        clock = format_time(at, "short", locale=self._locale).replace(" ", "\N{NO-BREAK SPACE}")
        if at.tzname() == "UTC":
            clock += "\N{NO-BREAK SPACE}UTC"
        if at.date() == now.astimezone(at.tzinfo).date():
            return clock
        pattern = str(get_datetime_format("medium", locale=self._locale)).replace("'", "")
        return pattern.format(clock, self.format_date(at.date()))

    def format_remaining(self, time: timedelta) -> str:
        """Format the time left, such as "in 5 minutes", rounded down to whole units."""
        time = max(time, _SECOND)
        if time + _INSTANT >= _MINUTE:
            time += _INSTANT
        unit, size, _ = next(each for each in _UNITS if time >= each[2])
        return format_timedelta(
            time // size * size, granularity=unit, threshold=inf, add_direction=True, locale=self._locale
        )


@cache
def load_language(code: str) -> Language:
    """Load a language of LANGUAGES by its code."""
    return Language(code, LANGUAGES[code][0], read_texts(CATALOGS / code / "LC_MESSAGES" / "messages.po"))


def read_texts(path: Path) -> Mapping[str, str]:
    """Read the translations of a catalog, without fuzzy ones."""
    with path.open("rb") as file:
        catalog = read_po(file)
    return {str(each.id): str(each.string) for each in catalog if each.id and each.string and not each.fuzzy}
