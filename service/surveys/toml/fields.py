"""The kinds of values that stand in surveys.toml, as marshmallow fields: read from TOML, and from a record's JSON."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from service.surveys.dixa_names import api_spelling
from service.surveys.hosts import ascii_host
from service.surveys.language_codes import find_language
from service.surveys.ratings import RatingType

NO_SUCH_KEY: Final = "No such key."
"""`service.surveys.toml.errors` adds what may be meant."""

KeyPath = tuple[str | int, ...]
"""Where a message belongs: the keys that lead there, and positions in lists, from 0."""


class Strict(Schema):
    """What we define ourselves: a key that we don't know is a mistake."""

    class Meta:
        """marshmallow's own place for it."""

        unknown = RAISE

    error_messages = {"unknown": NO_SUCH_KEY}


def written_as(line: str, example: str) -> dict[str, str]:
    """Say, for a schema's `error_messages`, how its table is written."""
    brackets = "double" if line.startswith("[[") else "single"
    return {"type": f"Not a table. Write {line}, in {brackets} brackets, and below it lines such as {example}."}


def keys_of(schema: Schema) -> tuple[str, ...]:
    """Give a schema's keys, as they are written."""
    return tuple(field.data_key or name for name, field in schema.fields.items())


def read_duration(text: str, *, least: timedelta, most: timedelta) -> timedelta:
    """Read a duration as surveys.toml spells it, such as `"30d"`. Raises ValueError, whose text says what to write."""
    try:
        found: timedelta = Duration(least=least, most=most).deserialize(text)
    except ValidationError as error:
        raise ValueError(" ".join(map(str, error.messages))) from error
    return found


def flatten(messages: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Give each of marshmallow's nested messages with its path."""
    if not isinstance(messages, Mapping):
        yield from ((path, str(message)) for message in (messages if isinstance(messages, list) else [messages]))
        return
    for key, inner in messages.items():
        yield from flatten(inner, path if key == "_schema" else (*path, key))


def mistakes(messages: Any, root: str) -> Iterator[str]:
    """Flatten marshmallow's nested messages to lines such as `body.data.tags[0]: …`, each with its path."""
    for path, message in flatten(messages):
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        yield f"{root}{''.join(steps)}: {message}"


class Flag(fields.Boolean):
    """true or false, as TOML has them."""

    def __init__(self) -> None:
        super().__init__(
            truthy={True}, falsy={False}, error_messages={"invalid": "Not a boolean. Write true or false."}
        )


class Text(fields.String):
    """Some text."""

    default_error_messages = {"invalid": 'Not a text. Write it in quotes: "…".'}


class Duration(fields.Field[timedelta]):
    """Text such as `"0s"`, `"15m"`, `"1h 30m"` or `"28d"` as a timedelta between `least` and `most`."""

    _UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
    _PART = re.compile(r"([0-9]{1,15})\s*(ms|[wdhms])\s*")

    def __init__(self, *, most: timedelta, least: timedelta = timedelta(), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._most = most
        self._least = least

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> timedelta:
        parts = self._PART.findall(value) if isinstance(value, str) else []
        if not parts or self._PART.sub("", value):
            raise ValidationError('Not a duration. Write a number with a unit, such as "15m", "24h" or "28d".')
        try:
            found = sum((timedelta(**{self._UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
        except OverflowError:
            found = timedelta.max
        if found > self._most:
            raise ValidationError(f'Too long. Write at most "{self._spell(self._most)}".')
        if found < self._least:
            raise ValidationError(f'Too short. Write at least "{self._spell(self._least)}".')
        return found

    def _spell(self, value: timedelta) -> str:
        """Write it for people: in the longest of days to milliseconds that it is a whole number of."""
        ones = {unit: timedelta(**{self._UNITS[unit]: 1}) for unit in ("d", "h", "m", "s", "ms")}
        return next(f"{value // one}{unit}" for unit, one in ones.items() if not value % one)

    def _serialize(self, value: timedelta | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else f"{value // timedelta(milliseconds=1)}ms"


class Names(fields.List[str]):
    """A list of names, each as text; a single text is refused, since it is a list that was forgotten."""

    def __init__(self, **kwargs: Any) -> None:
        name = Text(validate=validate.Length(min=1, error="Must not be empty."))
        super().__init__(name, error_messages={"invalid": 'Not a list. Write it in brackets: ["…"].'}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, *args, **kwargs))


class Spelled(Names):
    """Names of channels or directions, in either of Dixa's spellings."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(api_spelling(name) for name in super()._deserialize(value, *args, **kwargs))


class Languages(Names):
    """Languages, by code or name, as the codes of ours that they mean."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        found = {name: find_language(name) for name in super()._deserialize(value, *args, **kwargs)}
        for name, code in found.items():
            if code is None:
                raise ValidationError(f'{name!r} is not one of our languages. Write a code such as "da".')
        return tuple(found.values())


class Addresses(Names):
    """Addresses and domains, in small letters."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(_plain(name.strip()) for name in super()._deserialize(value, *args, **kwargs))


def _plain(address: str) -> str:
    """Spell an address as those of customers are; what is none stays, for whoever says so."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local.casefold()}{at}{ascii_host(domain)}"
    except ValueError:
        return address.casefold()


class Count(fields.Field[int]):
    """A whole number, not negative."""

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
    """One duration, or a table of them by channel, whose `default` is for all others: read into (delay, delays)."""

    def __init__(self, *, usual: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._usual = usual

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            return super()._deserialize(value, attr, data, **kwargs), {}
        found = {}
        for channel, duration in value.items():
            name = _DEFAULT if channel.casefold() == _DEFAULT else api_spelling(channel)
            try:
                found[name] = super()._deserialize(duration, attr, data, **kwargs)
            except ValidationError as error:
                raise ValidationError({channel: error.messages}) from error
        return found.pop(_DEFAULT, self._usual), found

    def _serialize(self, value: timedelta | None, attr: str | None, obj: Any, **_: Any) -> Any:
        delay = super()._serialize(value, attr, obj)
        if not obj.delays:
            return delay
        return {_DEFAULT: delay} | {
            name: super(Delay, self)._serialize(each, attr, obj) for name, each in obj.delays.items()
        }


class Moment(fields.Field[datetime]):
    """A TOML date or time; without a zone it is in UTC. In a record it is text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> datetime:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                value = None
        if isinstance(value, datetime):
            try:
                return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            except OverflowError as error:
                raise ValidationError("Out of range: in UTC it isn't in the years 1 to 9999.") from error
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC)
        raise ValidationError("Not a date. Write one without quotes, such as 2026-12-01, or 2026-12-01T08:00:00Z.")

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return value.isoformat() if value else None


class Clock(fields.Field[time]):
    """A time of day, such as `"09:00"` or TOML's 09:00:00."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> time:
        found = value
        if isinstance(value, str) and re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", value) and value < "24":
            found = time.fromisoformat(value)
        if not isinstance(found, time) or found.tzinfo:
            raise ValidationError('Not a time of day. Write hours and minutes, from "00:00" to "23:59".')
        return found.replace(second=0, microsecond=0)

    def _serialize(self, value: time | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return value.strftime("%H:%M") if value else None


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Weekdays(Names):
    """Days of the week as numbers, 0 for Monday."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        names = [name.casefold() for name in super()._deserialize(value, *args, **kwargs)]
        if not names or any(name not in _DAYS for name in names):
            raise ValidationError(f"Not days. Write some of: {', '.join(_DAYS)}.")
        return tuple(sorted({_DAYS.index(name) for name in names}))

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        return [_DAYS[day] for day in value or ()]


def read_zone(name: str) -> ZoneInfo:
    """Read the IANA's name of a time zone. Raises ValueError, whose text is the name that may be meant.

    Raises ValidationError where no zone at all is known.
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
            way_out = f'Did you mean "{error}"?' if str(error) else 'Write one such as "Europe/Copenhagen" or "UTC".'
            raise ValidationError(f"Not a time zone. {way_out}") from error
        return name


class Share(fields.Field[float]):
    """A share of a whole."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValidationError("Not a share. Write a number from 0.0 to 1.0, such as 0.1 for one in ten.")
        return float(value)


class Ratings(fields.Field[tuple[RatingType, ...]]):
    """One rating type, or a list of different ones."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[RatingType, ...]:
        names = value if isinstance(value, list) else [value]
        known = {str(rating) for rating in RatingType}
        if not names or any(not isinstance(name, str) or name not in known for name in names):
            raise ValidationError('Not a rating. Write "Csat", "Nps" or "ThumbsUpOrDown", or a list of them.')
        if len(set(names)) < len(names):
            raise ValidationError("Each rating type can be asked once.")
        return tuple(RatingType(name) for name in names)

    def _serialize(self, value: tuple[RatingType, ...] | None, attr: str | None, obj: Any, **_: Any) -> list[str]:
        return [str(rating) for rating in value or ()]
