"""When surveys are sent: the window of a survey, through time zones and changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.surveys.definition import SendWindow

_LOOK_AHEAD_DAYS = 9


def next_opening(window: SendWindow | None, moment: datetime) -> datetime:
    """Say when a survey may be sent: at this moment if the window is open, else when it opens next."""
    return max(moment, _next_hours(window, moment)[0])


def next_closing(window: SendWindow | None, moment: datetime) -> datetime:
    """Say until when a survey that is sent at this moment, or when the window opens next, may be sent."""
    return _next_hours(window, moment)[1]


def _next_hours(window: SendWindow | None, moment: datetime) -> tuple[datetime, datetime]:
    """Give the hours that aren't over at this moment: from when, until when."""
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
    return moment, moment  # A window without a day: surveys.toml has none.
