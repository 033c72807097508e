"""When surveys are sent: the window of a survey, through time zones and changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config.surveys import Window

_LOOK_AHEAD_DAYS = 9


def next_opening(window: Window | None, moment: datetime) -> datetime:
    """Say when a survey may be sent: at this moment if the window is open, else when it opens next."""
    if window is None:
        return moment
    zone = ZoneInfo(window.zone)
    today = moment.astimezone(zone).date()
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        opens = datetime.combine(day, window.opens, zone).astimezone(UTC)
        if moment < opens:
            return opens
        if moment < datetime.combine(day, window.closes, zone).astimezone(UTC):
            return moment
    return moment  # A window without a day: surveys.toml has none.
