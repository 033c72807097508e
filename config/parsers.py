"""Parsers of the settings: each turns the text of an environment variable into a value.

Each raises ValueError or ValidationError. The message never repeats the text: it may be a secret.
"""

import re
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from marshmallow import fields, validate

from service.surveys.language_codes import LANGUAGES, find_language
from service.surveys.states import SurveyEvent
from service.surveys.toml.fields import Duration, read_zone
from service.surveys.toml.loader import SurveysFile, read_surveys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one token may call Dixa: `rate` requests per second, `burst` of them at once."""

    rate: float
    burst: int


def matching(pattern: str, problem: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser of texts matching a whole pattern."""
    check = validate.Regexp(rf"(?:{pattern})\Z", error=problem)
    return lambda text: convert(check(text))


def one_of(choices: Collection[str], fold: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser of one of a few words, in capitals or not."""
    check = validate.OneOf(choices, error=f"is not one of: {', '.join(choices)}.")
    return lambda text: str(check(fold(text)))


count = matching(r"[0-9]{1,2}", "is not a whole number from 0 to 99. Write 0, 1, 2 …", int)
replicas = matching(r"[0-9]", "is not a number of replicas from 0 to 9. Write 0, or 1.", int)
megabytes = matching(
    r"[1-9][0-9]{0,5}", "is not a size in MB. Write a whole number such as 256.", lambda text: int(text) * 1024 * 1024
)
operator = matching(
    r"[^\x00-\x1f\x7f]{1,200}", "has more than 200 characters, or a line break. Write it in one line.", str
)
log_format = one_of(("json", "console"), str.lower)
log_level = one_of(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), str.upper)
switch: Callable[[str], bool] = fields.Boolean(
    error_messages={"invalid": "is neither on nor off. Write on or off."}
).deserialize


def pace(text: str) -> Pace:
    """Parse requests per second and burst, such as `9.9/3`."""
    found = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*/\s*([0-9]{1,4})", text)
    if not found or float(found[1]) == 0 or int(found[2]) == 0:
        raise ValueError("is not a pace. Write requests per second and burst, such as 9.9/3.")
    return Pace(float(found[1]), int(found[2]))


def duration(text: str) -> timedelta:
    """Parse a duration as surveys.toml spells it; here it must be more than zero."""
    value = Duration(maximum=timedelta(days=3650)).deserialize(text)
    if not value:
        raise ValueError('must be more than zero. Write a number with a unit, such as "1s".')
    return value


def language(text: str) -> str:
    """Parse one of our languages: its code or its name."""
    code = find_language(text)
    if code is None:
        raise ValueError(f"is not one of: {', '.join(LANGUAGES)}.")
    return code


def time_zone(text: str) -> ZoneInfo:
    """Parse the name of a time zone."""
    try:
        return read_zone(text)
    except ValueError as error:
        way_out = f"Did you mean {error}?" if str(error) else "Write one such as Europe/Copenhagen or UTC."
        raise ValueError(f"is not a time zone. {way_out}") from None


def events(text: str) -> frozenset[SurveyEvent]:
    """Parse names of events, such as `survey.asked, survey.answered`."""
    known = {each.type: each for each in SurveyEvent}
    names = {name.strip() for name in text.split(",") if name.strip()}
    if not names or not names <= known.keys():
        raise ValueError(f"is not one or several of: {', '.join(known)}.")
    return frozenset(known[name] for name in names)


@dataclass(frozen=True, slots=True)
class WeeklyTime:
    """A time of each week. Weekday 0 is Monday."""

    weekday: int
    time: time


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def weekly_time(text: str) -> WeeklyTime:
    """Parse a day and a time, such as `Mon 08:00`."""
    found = re.fullmatch(r"([A-Za-z]{3})\s+([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if not found or found[1].lower() not in _WEEKDAYS:
        raise ValueError("is not a day and a time. Write one such as Mon 08:00.")
    return WeeklyTime(_WEEKDAYS.index(found[1].lower()), time(int(found[2]), int(found[3])))


def folder(text: str) -> Path | None:
    """Parse a folder; `off` means none."""
    return None if text.lower() == "off" else Path(text)


def certificates(text: str) -> Path:
    """Parse the path of a file of certificates."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except (OSError, ValueError):
        raise ValueError("names no file of certificates (PEM).") from None
    return Path(text)


def surveys_file(text: str) -> SurveysFile:
    """Read the surveys of a file. Its mistakes become those of the variable."""
    return read_surveys(Path(text))
