"""marshmallow fields for the values of surveys.toml."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from service.surveys.dixa_names import api_spelling
from service.surveys.hosts import ascii_host
from service.surveys.language_codes import find_language
from service.surveys.ratings import RatingType

NO_SUCH_KEY: Final = "No such key."
"""`service.surveys.toml.errors` adds a suggestion."""

KeyPath = tuple[str | int, ...]
"""The path to a value: keys, and positions in lists from 0."""


class Strict(Schema):
    """A schema of our own format, which makes a dataclass. An unknown key is a mistake."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    error_messages = {"unknown": NO_SUCH_KEY}
    made: type[Any]
    """The dataclass."""

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.made(**data)


def written_as(line: str, example: str) -> dict[str, str]:
    """Return a schema's `error_messages` for a value that isn't a table."""
    brackets = "double" if line.startswith("[[") else "single"
    return {"type": f"Not a table. Write {line}, in {brackets} brackets, and below it lines such as {example}."}


def keys_of(schema: Schema) -> tuple[str, ...]:
    """Return a schema's keys as the file spells them."""
    return tuple(field.data_key or name for name, field in schema.fields.items())


def flatten(messages: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield each of marshmallow's nested messages with its path."""
    if not isinstance(messages, Mapping):
        yield from ((path, str(message)) for message in (messages if isinstance(messages, list) else [messages]))
        return
    for key, inner in messages.items():
        yield from flatten(inner, path if key == "_schema" else (*path, key))


def mistakes(messages: Any, root: str) -> Iterator[str]:
    """Yield each of marshmallow's nested messages as a line such as `body.data.tags[0]: …`."""
    for path, message in flatten(messages):
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        yield f"{root}{''.join(steps)}: {message}"


class Flag(fields.Boolean):
    """A boolean of TOML."""

    def __init__(self) -> None:
        super().__init__(
            truthy={True}, falsy={False}, error_messages={"invalid": "Not a boolean. Write true or false."}
        )


class Text(fields.String):
    """Some text."""

    default_error_messages = {"invalid": 'Not a text. Write it in quotes: "…".'}


class Duration(fields.Field[timedelta]):
    """Text such as `"0s"`, `"15m"`, `"1h 30m"` or `"28d"` as a timedelta from `minimum` to `maximum`."""

    _UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
    _PART = re.compile(r"([0-9]{1,15})\s*(ms|[wdhms])\s*")

    def __init__(self, *, maximum: timedelta, minimum: timedelta = timedelta(), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._maximum = maximum
        self._minimum = minimum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> timedelta:
        parts = self._PART.findall(value) if isinstance(value, str) else []
        if not parts or self._PART.sub("", value):
            raise ValidationError('Not a duration. Write a number with a unit, such as "15m", "24h" or "28d".')
        try:
            found = sum((timedelta(**{self._UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
        except OverflowError:
            found = timedelta.max
        if found > self._maximum:
            raise ValidationError(f'Too long. Write at most "{self._spell(self._maximum)}".')
        if found < self._minimum:
            raise ValidationError(f'Too short. Write at least "{self._spell(self._minimum)}".')
        return found

    def _spell(self, value: timedelta) -> str:
        """Spell a duration in the largest unit that needs no fraction."""
        ones = {unit: timedelta(**{self._UNITS[unit]: 1}) for unit in ("d", "h", "m", "s", "ms")}
        return next(f"{value // one}{unit}" for unit, one in ones.items() if not value % one)


class Names(fields.List[str]):
    """A list of texts, each as `read` returns it. A single text is a mistake."""

    def __init__(self, read: Callable[[Any], str] = str, **kwargs: Any) -> None:
        self._read = read
        name = Text(validate=validate.Length(min=1, error="Must not be empty."))
        super().__init__(name, error_messages={"invalid": 'Not a list. Write it in brackets: ["…"].'}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(map(self._read, super()._deserialize(value, *args, **kwargs)))


def read_language(text: str) -> str:
    """Return the code of LANGUAGES for the code or the name of a language."""
    code = find_language(text)
    if code is None:
        raise ValidationError(f'{text!r} is not one of our languages. Write a code such as "da".')
    return code


def read_address(text: str) -> str:
    """Normalise an address, or an @ and a domain, like those of customers. An invalid one is left to the validator."""
    address = text.strip()
    local, at, domain = address.rpartition("@")
    try:
        return f"{local.casefold()}{at}{ascii_host(domain)}"
    except ValueError:
        return address.casefold()


class Count(fields.Field[int]):
    """A whole number from 0 to 1,000,000."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:  # noqa: PLR2004
            raise ValidationError("Not a count. Write a whole number from 0 to 1,000,000 without quotes, such as 20.")
        return value


class Choice(fields.Enum[StrEnum]):
    """One of a few words."""

    def __init__(self, choices: type[StrEnum]) -> None:
        *most, last = (f'"{each}"' for each in choices)
        known = f"{', '.join(most)} or {last}"
        super().__init__(choices, by_value=True, error_messages={"unknown": f"Not known. Write {known}."})


_DEFAULT = "default"


class Delay(Duration):
    """One duration, or a table by channel with a `default`. Becomes the `delay` and the `delays` of a survey."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            return {"delay": super()._deserialize(value, attr, data, **kwargs)}
        delays = {}
        for channel, duration in value.items():
            name = _DEFAULT if channel.casefold() == _DEFAULT else api_spelling(channel)
            try:
                delays[name] = super()._deserialize(duration, attr, data, **kwargs)
            except ValidationError as error:
                raise ValidationError({channel: error.messages}) from error
        default = {"delay": delays.pop(_DEFAULT)} if _DEFAULT in delays else {}
        return {"delays": delays, **default}


def read_moment(value: Any) -> datetime:
    """Read a TOML date or time, in UTC unless it has an offset."""
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError as error:
            raise ValidationError("Out of range: in UTC it isn't in the years 1 to 9999.") from error
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValidationError("Not a date. Write one without quotes, such as 2026-12-01, or 2026-12-01T08:00:00Z.")


class Clock(fields.Field[time]):
    """A time of day, such as `"09:00"` or TOML's 09:00:00."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> time:
        found = value
        if isinstance(value, str) and re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", value) and value < "24":
            found = time.fromisoformat(value)
        if not isinstance(found, time) or found.tzinfo:
            raise ValidationError('Not a time of day. Write hours and minutes, from "00:00" to "23:59".')
        return found.replace(second=0, microsecond=0)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Weekdays(Names):
    """Days of the week as numbers, 0 for Monday."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        names = [name.casefold() for name in super()._deserialize(value, *args, **kwargs)]
        if not names or any(name not in _DAYS for name in names):
            raise ValidationError(f"Not days. Write some of: {', '.join(_DAYS)}.")
        return tuple(sorted({_DAYS.index(name) for name in names}))


def read_zone(name: str) -> ZoneInfo:
    """Return the IANA time zone of a name. Raises ValueError; its text is a similar name or empty.

    Raises ValidationError if the system has no time zones at all.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        zones = available_timezones()
        if not zones:
            raise ValidationError("can't be read: this Python has no time zones. Install tzdata.") from error
        known = {zone.casefold(): zone for zone in zones if "/" in zone}
        guess = next(iter(get_close_matches(name.casefold(), known, 1, 0.75)), "")
        raise ValueError(known.get(guess, "")) from error


class Zone(Text):
    """The name of a time zone."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        name = super()._deserialize(value, *args, **kwargs)
        try:
            read_zone(name)
        except ValueError as error:
            fix = f'Did you mean "{error}"?' if str(error) else 'Write one such as "Europe/Copenhagen" or "UTC".'
            raise ValidationError(f"Not a time zone. {fix}") from error
        return name


class Share(fields.Field[float]):
    """A share from 0.0 to 1.0."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValidationError("Not a share. Write a number from 0.0 to 1.0, such as 0.1 for one in ten.")
        return float(value)


def read_ratings(value: Any) -> tuple[RatingType, ...]:
    """Read one rating type, or a list of different ones."""
    names = value if isinstance(value, list) else [value]
    known = {str(rating) for rating in RatingType}
    if not names or any(not isinstance(name, str) or name not in known for name in names):
        raise ValidationError('Not a rating. Write "Csat", "Nps" or "ThumbsUpOrDown", or a list of them.')
    if len(set(names)) < len(names):
        raise ValidationError("Each rating type can be asked once.")
    return tuple(RatingType(name) for name in names)
