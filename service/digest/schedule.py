"""When the digest is due, and which week it is about."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from config.parsers import WeeklyTime
from service.reports.selection import Period, Selection

_WEEK: Final = timedelta(days=7)
LATEST: Final = timedelta(days=1)
"""How late a digest may be sent. After that it is left out."""


def last_due(at: WeeklyTime, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the latest time when a digest was due."""
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - at.weekday) % 7)
    due = datetime.combine(day, at.time, zone)
    return due if due <= now else datetime.combine(day - _WEEK, at.time, zone)


def week_until(day: date, zone: ZoneInfo) -> Selection:
    """Select the seven days before a day, and the seven before those."""
    until, since, before = (datetime.combine(day - weeks * _WEEK, time(), zone) for weeks in range(3))
    return Selection(Period(since, until), Period(before, since))
