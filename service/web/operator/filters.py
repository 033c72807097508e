"""The filters of the window, which are the URL: a period and the one before, survey, channel, queue, agent, language.

A view gets them as `Filters`, and builds its links with `Filters.url`. Days are those of TIME_ZONE.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

PERIODS: Final[Mapping[str, tuple[str, int]]] = {
    "7d": ("7 days", 7),
    "28d": ("28 days", 28),
    "91d": ("13 weeks", 91),
    "364d": ("52 weeks", 364),
}
"""Names in the URL, for people, and lengths in days. Whole weeks: the period before has the same days of the week."""
DEFAULT_PERIOD: Final = "28d"
NARROWING: Final = ("survey", "channel", "queue", "agent", "language")
"""The filters beside the period. Each is one value, NONE, or empty for all."""
NONE: Final = "-"
"""The value for surveys without one, such as those of conversations without an agent."""

_EARLIEST = date(2000, 1, 1)
_MAX_DAYS = 3660


class FilterError(ValueError):
    """Filters that can't be used. `problems` has a message for each field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name} {problem}" for name, problem in problems.items()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day. `since` is included and `until` is not; it is now if the last day is today."""

    first: date
    last: date
    since: datetime
    until: datetime

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Filters:
    """What a view shows. `before` is as long as `period`, right before it, and ends at the same time of the day.

    `named` is a key of PERIODS, or "" for dates of the operator's own. The others are "" for all.
    """

    period: Period
    before: Period
    named: str
    survey: str = ""
    channel: str = ""
    queue: str = ""
    agent: str = ""
    language: str = ""

    @property
    def narrowing(self) -> dict[str, str]:
        """The filters beside the period that are set."""
        return {name: value for name in NARROWING if (value := getattr(self, name))}

    def url(self, path: str, **values: str | int | None) -> str:
        """Return the URL of a view with these filters, and other values. An empty one is left out."""
        given = self.values | values
        query = urlencode({name: value for name, value in given.items() if value not in ("", None)})
        return f"{path}?{query}" if query else path

    @property
    def values(self) -> dict[str, Any]:
        """The filters as values of a query. An empty one is the default."""
        if self.named:
            return {"period": "" if self.named == DEFAULT_PERIOD else self.named, **self.narrowing}
        return {"from": str(self.period.first), "to": str(self.period.last), **self.narrowing}


def load_filters(query: Mapping[str, str], zone: ZoneInfo, now: datetime | None = None) -> Filters:
    """Read the filters of a query. Unknown names are ignored, and empty values count as not given.

    Raises FilterError.
    """
    now = now or datetime.now(UTC)
    try:
        given: dict[str, Any] = _SCHEMA.load({name: text.strip() for name, text in query.items() if text.strip()})
    except ValidationError as error:
        problems = error.messages_dict
        raise FilterError({name: " ".join(problems[name]) for name in problems}) from None
    today = now.astimezone(zone).date()
    named = given.pop("period", "")
    first, last = _last_days(named or DEFAULT_PERIOD, today)
    own_first, own_last = given.pop("from", None), given.pop("to", None)
    if own_first or own_last:
        own = _own_dates(own_first, own_last, today)
        # The form sends the dates of the period that it shows as well.
        named = named if own == (first, last) else ""
        first, last = own
    else:
        named = named or DEFAULT_PERIOD
    length = timedelta((last - first).days + 1)
    period = _make_period(first, last, zone, now)
    before = _make_period(first - length, last - length, zone, now)
    if last == today:
        before = replace(before, until=(now.astimezone(zone) - length).astimezone(UTC))
    return Filters(period, before, named, **given)


def _last_days(named: str, today: date) -> tuple[date, date]:
    return today - timedelta(PERIODS[named][1] - 1), today


def _own_dates(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    last = min(last or today, today)
    if last < _EARLIEST:
        raise FilterError({"to": "is before 2000. Write a later day."})
    first = first or last - timedelta(PERIODS[DEFAULT_PERIOD][1] - 1)
    if first > last:
        raise FilterError({"from": "is after the last day. Write an earlier one."})
    if first < _EARLIEST or (last - first).days >= _MAX_DAYS:
        raise FilterError({"from": "is more than ten years ago. Write a later day."})
    return first, last


def _make_period(first: date, last: date, zone: ZoneInfo, now: datetime) -> Period:
    since, until = _midnight(first, zone), _midnight(last + timedelta(1), zone)
    return Period(first, last, since, min(until, now))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _day() -> fields.Field[Any]:
    return fields.Date(error_messages={"invalid": "is not a day. Write it like 2026-11-28."})


def _text() -> fields.Field[Any]:
    long = validate.Length(max=200, error="is longer than 200 characters. Choose one of the list.")
    shown = validate.Predicate("isprintable", error="has characters that can't be shown. Choose one of the list.")
    return fields.String(validate=[long, shown])


_SCHEMA = Schema.from_dict(
    {
        "period": fields.String(
            validate=validate.OneOf(PERIODS, error=f"is not one of {', '.join(PERIODS)}. Or write from and to.")
        ),
        "from": _day(),
        "to": _day(),
        **{name: _text() for name in NARROWING},
    }
)(unknown=EXCLUDE)
