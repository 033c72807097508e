"""Surveys are sent inside their send window, by wall-clock time."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules.send_window import next_closing, next_opening
from service.surveys.definition import SendWindow

OFFICE = SendWindow(days=(0, 1, 2, 3, 4), opens=time(9), closes=time(17), zone="Europe/Copenhagen")
NIGHT = SendWindow(days=tuple(range(7)), opens=time(2, 30), closes=time(4), zone="Europe/Copenhagen")
COPENHAGEN = ZoneInfo("Europe/Copenhagen")

OPENINGS: list[tuple[str, SendWindow, str, str]] = [
    # case                                          the window      the moment (UTC)    the sending (UTC)
    ("in the middle of the day", OFFICE, "2026-11-20T12:00", "2026-11-20T12:00"),
    ("at the opening", OFFICE, "2026-11-20T08:00", "2026-11-20T08:00"),
    ("a minute before it opens", OFFICE, "2026-11-20T07:59", "2026-11-20T08:00"),
    ("a minute before it closes", OFFICE, "2026-11-19T15:59", "2026-11-19T15:59"),
    ("at the closing: the next day", OFFICE, "2026-11-19T16:00", "2026-11-20T08:00"),
    ("on Friday evening: on Monday", OFFICE, "2026-11-20T16:00", "2026-11-23T08:00"),
    ("on Saturday", OFFICE, "2026-11-21T12:00", "2026-11-23T08:00"),
    ("on Sunday night in UTC: on Monday in the zone", OFFICE, "2026-11-22T23:30", "2026-11-23T08:00"),
    ("in summer, an hour earlier in UTC", OFFICE, "2026-07-06T06:30", "2026-07-06T07:00"),
    ("over the weekend of the change to summer time", OFFICE, "2026-03-27T16:00", "2026-03-30T07:00"),
    ("over the weekend of the change to winter time", OFFICE, "2026-10-23T15:00", "2026-10-26T08:00"),
    ("an opening in the skipped hour", NIGHT, "2026-03-29T00:00", "2026-03-29T01:30"),
    ("after the repeated hour", NIGHT, "2026-10-25T02:59", "2026-10-25T02:59"),
    ("an opening in the repeated hour", NIGHT, "2026-10-25T00:00", "2026-10-25T00:30"),
    (
        "once a week, a minute too late",
        SendWindow((2,), time(9), time(10), "UTC"),
        "2026-11-18T10:00",
        "2026-11-25T09:00",
    ),
    (
        "a zone a day ahead",
        SendWindow((0,), time(0), time(1), "Pacific/Kiritimati"),
        "2026-11-22T09:00",
        "2026-11-22T10:00",
    ),
]


@pytest.mark.parametrize(
    ("window", "moment", "sent"), [line[1:] for line in OPENINGS], ids=[line[0] for line in OPENINGS]
)
def test_survey_is_sent_at_the_next_opening(window: SendWindow, moment: str, sent: str) -> None:
    found = next_opening(window, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(sent).replace(tzinfo=UTC)


def test_survey_without_a_send_window_is_sent_at_once() -> None:
    moment = datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert next_opening(None, moment) == moment


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - `timezones` adds a zone


@st.composite
def windows(draw: st.DrawFn) -> SendWindow:
    opens, closes = sorted(draw(st.sets(st.times().map(_truncate_to_minutes), min_size=2, max_size=2)))
    days = tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1))))
    return SendWindow(days, opens, closes, draw(st.sampled_from(["Europe/Copenhagen", "UTC", "Asia/Kolkata"])))


def _truncate_to_minutes(found: time) -> time:
    return found.replace(second=0, microsecond=0)


def is_inside(window: SendWindow, moment: datetime) -> bool:
    """Compare wall-clock times. Invalid for the hours of a clock change."""
    there = moment.astimezone(ZoneInfo(window.zone))
    return there.weekday() in window.days and window.opens <= there.time() < window.closes


def is_clock_changed_on(moment: datetime) -> bool:
    day = moment.astimezone(COPENHAGEN).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.utcoffset() != day.replace(hour=23).utcoffset()


@given(windows(), MOMENTS)
def test_survey_is_never_sent_early_or_outside_the_send_window(window: SendWindow, moment: datetime) -> None:
    sent = next_opening(window, moment)
    assert sent >= moment
    assert next_opening(window, sent) == sent
    if not is_clock_changed_on(sent):
        assert is_inside(window, sent)


@given(windows(), MOMENTS)
def test_survey_is_sent_at_once_only_inside_the_send_window(window: SendWindow, moment: datetime) -> None:
    if not is_clock_changed_on(moment):
        assert (next_opening(window, moment) == moment) is is_inside(window, moment)


CLOSINGS: list[tuple[str, str, str]] = [
    # case                            the moment (UTC)    the last sending (UTC)
    ("inside the window: the same day", "2026-11-20T12:00", "2026-11-20T16:00"),
    ("at the opening: the same day", "2026-11-23T08:00", "2026-11-23T16:00"),
    ("before the opening: the same day", "2026-11-20T02:00", "2026-11-20T16:00"),
    ("on Saturday: on Monday", "2026-11-21T12:00", "2026-11-23T16:00"),
]


@pytest.mark.parametrize(("moment", "until"), [line[1:] for line in CLOSINGS], ids=[line[0] for line in CLOSINGS])
def test_survey_may_be_sent_until_the_next_closing(moment: str, until: str) -> None:
    found = next_closing(OFFICE, datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(until).replace(tzinfo=UTC)
    assert next_closing(None, found) == found
