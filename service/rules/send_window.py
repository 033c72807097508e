"""The send window of a survey, across time zones and changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.surveys.definition import SendWindow

_LOOK_AHEAD_DAYS = 9
"""A week, and a day on either side for time zones."""


def next_opening(window: SendWindow | None, moment: datetime) -> datetime:
    """Return when a survey may be sent: at this moment if the window is open, else at its next opening."""
    return max(moment, _next_hours(window, moment)[0])


def next_closing(window: SendWindow | None, moment: datetime) -> datetime:
    """Return when the current window closes, or the next one."""
    return _next_hours(window, moment)[1]


def _next_hours(window: SendWindow | None, moment: datetime) -> tuple[datetime, datetime]:
    """Return the opening and closing of the current window, or of the next one."""
    if window is None:
        return moment, moment
    zone = ZoneInfo(window.zone)
    today = moment.astimezone(zone).date()
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        closes = datetime.combine(day, window.closes, zone).astimezone(UTC)
        if moment < closes:
            return datetime.combine(day, window.opens, zone).astimezone(UTC), closes
    return moment, moment  # A window without days; surveys.toml can't have one.
