"""How we speak to customers: the texts of a language, its numbers, dates and direction. Used by page and messages.

The catalogs are gettext's, in `service/texts/translations`, and are read from their .po files once per process. There
is no Flask-Babel: the worker writes messages from the same catalogs, and knows no Flask.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
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
"""Where the plain code is the American way to write dates and numbers."""
_NAMES = ("brand", "host")
"""What is put into texts and may be of another script than they are."""
_DAY = timedelta(days=1)
_HOUR, _MINUTE, _SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
_UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], timedelta, timedelta], ...] = (
    ("day", _DAY, 2 * _DAY),
    ("hour", _HOUR, 2 * _HOUR),
    ("minute", _MINUTE, _MINUTE),
    ("second", _SECOND, _SECOND),
)
"""How a time is told: the unit, its length, and from which time on. One day and a half is 36 hours."""
_INSTANT = timedelta(seconds=5)
"""What a time that is told in minutes may be longer than it is: making the page takes a moment."""


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
        facts |= {name: self.isolate(facts[name]) for name in _NAMES if name in facts}
        return translated % facts if facts else translated

    def isolate(self, name: str) -> str:
        """Keep a name in one piece: between words that read from the right, "24 Shop (DK)" would be turned around."""
        return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" if self.direction == "rtl" else name

    def number(self, number: int) -> str:
        """Write a number, such as 2,000."""
        return format_decimal(number, locale=self._locale)

    def date(self, day: date) -> str:
        """Write a day, such as 12 May 2026, with spaces at which no line breaks."""
        written = format_date(day, "long", locale=self._locale)
        if self.code == "fr" and day.day == 1:
            # CLDR writes "1 juin", where French says "1er juin".
            written = written.replace("1", "1er", 1)
        return written.replace(" ", "\N{NO-BREAK SPACE}")

    def days(self, time: timedelta) -> str:
        """Write a time in days, such as 90 days, where one that has begun counts; no line breaks in it."""
        whole = -(-time // _DAY)
        if self.code == "mt":
            # CLDR has no word for it in Maltese.
            return f"{whole}\N{NO-BREAK SPACE}jum"
        written = format_timedelta(whole * _DAY, granularity="day", threshold=inf, locale=self._locale)
        return written.replace(" ", "\N{NO-BREAK SPACE}")

    def moment(self, at: datetime, now: datetime) -> str:
        """Write when something will be, by the clock of `at`'s zone, and with the date if that isn't today's.

        UTC is hardly anybody's own time, so it is named.
        """
        clock = format_time(at, "short", locale=self._locale).replace(" ", "\N{NO-BREAK SPACE}")
        if at.tzname() == "UTC":
            clock += "\N{NO-BREAK SPACE}UTC"
        if at.date() == now.astimezone(at.tzinfo).date():
            return clock
        pattern = str(get_datetime_format("medium", locale=self._locale)).replace("'", "")
        return pattern.format(clock, self.date(at.date()))

    def ahead(self, time: timedelta) -> str:
        """Write how long it is until then, such as "in 5 minutes", in whole units that are over by then."""
        time = max(time, _SECOND)
        if time + _INSTANT >= _MINUTE:
            time += _INSTANT
        unit, size, _ = next(each for each in _UNITS if time >= each[2])
        return format_timedelta(
            time // size * size, granularity=unit, threshold=inf, add_direction=True, locale=self._locale
        )


@cache
def language(code: str) -> Language:
    """Read one of the LANGUAGES."""
    return Language(code, LANGUAGES[code][0], read_texts(CATALOGS / code / "LC_MESSAGES" / "messages.po"))


def read_texts(path: Path) -> Mapping[str, str]:
    """Read the finished translations of a catalog."""
    with path.open("rb") as file:
        catalog = read_po(file)
    return {str(each.id): str(each.string) for each in catalog if each.id and each.string and not each.fuzzy}
