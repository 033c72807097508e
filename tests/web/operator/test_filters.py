"""The filters of the window are its URL."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from service.web.operator.filters import FilterError, Filters, load_filters
from tests.web.operator.window_client import look

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NOW = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)
"""In Copenhagen it is 30 November, half past midnight."""


def load(zone: ZoneInfo = COPENHAGEN, **query: str) -> Filters:
    return load_filters({name.strip("_"): value for name, value in query.items()}, zone, NOW)


def test_the_default_is_28_days_up_to_now_and_the_28_days_before() -> None:
    found = load()
    assert (found.named, found.narrowing) == ("28d", {})
    assert (found.period.first, found.period.last, found.period.days) == (date(2026, 11, 3), date(2026, 11, 30), 28)
    assert (found.before.first, found.before.last, found.before.days) == (date(2026, 10, 6), date(2026, 11, 2), 28)
    assert (found.period.since, found.period.until) == (datetime(2026, 11, 2, 23, tzinfo=UTC), NOW)
    # Half of a day is compared with half of a day, and daylight saving time ended in between.
    assert found.before.since == datetime(2026, 10, 5, 22, tzinfo=UTC)
    assert found.before.until == datetime(2026, 11, 1, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(("named", "days"), [("7d", 7), ("28d", 28), ("91d", 91), ("364d", 364)])
def test_named_periods_are_whole_weeks(named: str, days: int) -> None:
    found = load(period=named)
    assert (found.named, found.period.days, found.before.days) == (named, days, days)
    assert found.before.last == found.period.first - (found.period.last - found.period.last) - date.resolution


def test_own_dates_are_whole_days() -> None:
    found = load(from_="2026-10-01", to="2026-10-31", period="7d")
    assert (found.named, found.period.days) == ("", 31)
    assert found.period.since == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert found.period.until == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (found.before.first, found.before.last) == (date(2026, 8, 31), date(2026, 9, 30))
    assert found.before.until == found.period.since


def test_the_dates_of_a_named_period_keep_its_name() -> None:
    """The form sends both. Somebody who changes only the survey still wants the last seven days tomorrow."""
    assert load(period="7d", from_="2026-11-24", to="2026-11-30").named == "7d"
    assert load(period="7d", from_="2026-11-23", to="2026-11-30").named == ""


def test_one_date_is_enough_and_the_future_is_cut_off() -> None:
    assert load(from_="2026-11-29").period.days == 2
    assert load(to="2026-11-01").period.days == 28
    assert load(to="2030-01-01").period.last == date(2026, 11, 30)


def test_filters_and_url_are_the_same() -> None:
    for query in (
        {},
        {"period": "7d"},
        {"from": "2026-10-01", "to": "2026-10-31"},
        {"survey": "a b&c", "channel": "Email", "queue": "q=1", "agent": "ä", "language": "da"},
    ):
        found = load_filters(query, COPENHAGEN, NOW)
        path, _, text = found.url("/operator/x").partition("?")
        assert path == "/operator/x"
        pairs = dict(pair.split("=") for pair in text.split("&") if pair)
        assert pairs.keys() == query.keys()
    assert load(period="28d").url("/x") == "/x"
    assert load(survey="vip").url("/x", sort="csat", by=None) == "/x?survey=vip&sort=csat"
    assert load(survey="vip", channel="Email").url("/x", survey=None) == "/x?channel=Email"


@pytest.mark.parametrize(
    ("query", "field", "way_out"),
    [
        ({"period": "30d"}, "period", "28d"),
        ({"from": "01.10.2026"}, "from", "2026-11-28"),
        ({"to": "2026-02-30"}, "to", "2026-11-28"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from", "earlier"),
        ({"from": "2020-01-01", "to": "1999-01-01"}, "to", "later"),
        ({"from": "0001-01-01"}, "from", "later"),
        ({"to": "0001-01-02"}, "to", "later"),
        ({"survey": "x" * 201}, "survey", "list"),
        ({"agent": "x\0"}, "agent", "list"),
    ],
)
def test_a_bad_value_gets_a_clear_message(query: dict[str, str], field: str, way_out: str) -> None:
    with pytest.raises(FilterError) as caught:
        load_filters(query, COPENHAGEN, NOW)
    assert way_out in caught.value.problems[field]


def test_empty_and_unknown_values_are_ignored() -> None:
    assert load(survey="", from_=" ", utm_source="x") == load()


def test_links_between_views_keep_the_filters(window: FlaskClient) -> None:
    html = look(window, "/operator/failed?survey=vip&period=7d").text
    assert 'href="/operator/failed?period=7d&amp;survey=vip"' in html
    assert look(window, "/operator/failed?period=nonsense").status_code == 200, "a view without filters ignores them"
