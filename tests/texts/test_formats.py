"""Numbers, dates and durations are in the format of each language."""

from datetime import UTC, date, datetime, timedelta

import pytest

from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language

DAY = date(2026, 5, 12)


@pytest.mark.parametrize(
    ("code", "number", "day"),
    [
        ("en", "2,000", "12 May 2026"),
        ("de", "2.000", "12. Mai 2026"),
        ("da", "2.000", "12. maj 2026"),
        ("sv", "2\u00a0000", "12 maj 2026"),
        ("pt", "2\u00a0000", "12 de maio de 2026"),
        ("ar", "2,000", "12 مايو 2026"),
        ("he", "2,000", "12 במאי 2026"),
    ],
)
def test_numbers_and_dates_follow_language(code: str, number: str, day: str) -> None:
    assert (load_language(code).format_number(2000), load_language(code).format_date(DAY)) == (
        number,
        day.replace(" ", "\xa0"),
    )


@pytest.mark.parametrize(("day", "written"), [(date(2026, 6, 1), "1er juin 2026"), (date(2026, 6, 11), "11 juin 2026")])
def test_french_first_of_month_is_1er(day: date, written: str) -> None:
    assert load_language("fr").format_date(day) == written.replace(" ", "\xa0")


@pytest.mark.parametrize(
    ("code", "time", "written"),
    [
        ("en", timedelta(days=90), "90 days"),
        ("en", timedelta(hours=1), "1 day"),
        ("en", timedelta(days=28, hours=1), "29 days"),
        ("en", timedelta(days=365), "365 days"),
        ("de", timedelta(days=90), "90 Tage"),
        ("pl", timedelta(days=91), "91 dni"),
        ("mt", timedelta(days=90), "90 jum"),
        ("ar", timedelta(days=90), "90 يومًا"),
    ],
)
def test_duration_in_days(code: str, time: timedelta, written: str) -> None:
    assert load_language(code).format_days(time) == written.replace(" ", "\xa0")


NOW = datetime(2026, 5, 12, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "in 1 second"),
        (40, "in 40 seconds"),
        (59, "in 1 minute"),
        (119, "in 2 minutes"),
        (299.8, "in 5 minutes"),
        (359, "in 6 minutes"),
        (350, "in 5 minutes"),
        (3600, "in 60 minutes"),
        (7199, "in 2 hours"),
        (86_400, "in 24 hours"),
        (2 * 86_400, "in 2 days"),
        (7 * 86_400 - 1, "in 7 days"),
        (7 * 86_400 - 60, "in 6 days"),
    ],
)
def test_time_left_is_rounded_down(seconds: float, words: str) -> None:
    assert load_language("en").format_remaining(timedelta(seconds=seconds)) == words


def test_moment_names_utc_and_other_day() -> None:
    english = load_language("en")
    assert english.format_moment(NOW, NOW) == "14:30\u00a0UTC"
    assert english.format_moment(NOW + timedelta(days=1), NOW) == "13\u00a0May\u00a02026, 14:30\u00a0UTC"


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_own_words_for_time_left(code: str) -> None:
    """Without words in CLDR, Babel falls back to its root locale: "+5 min"."""
    spoken = load_language(code)
    for time in (timedelta(seconds=40), timedelta(minutes=5), timedelta(hours=3), timedelta(days=6)):
        words = spoken.format_remaining(time)
        assert "+" not in words
        assert code == "en" or words != load_language("en").format_remaining(time)
    at = NOW + timedelta(days=6)
    assert spoken.format_date(at.date()) in spoken.format_moment(at, NOW)
    assert "{" not in spoken.format_moment(at, NOW)
