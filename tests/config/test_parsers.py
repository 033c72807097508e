"""Words, time zones and files in variables."""

import sys
import zoneinfo

import pytest

from config.loader import read_settings
from tests.config.test_settings import GOOD, mistakes


def test_spool_can_be_off() -> None:
    assert read_settings({**GOOD, "SPOOL_DIR": "off"}).spool_dir is None


@pytest.mark.parametrize(("text", "on"), [("on", True), ("ON", True), ("true", True), ("off", False), ("", False)])
def test_short_links_are_on_or_off(text: str, *, on: bool) -> None:
    assert read_settings({**GOOD, "SHORT_LINKS": text}).short_links is on


@pytest.mark.parametrize("text", ["europe/copenhagen", "Europe/Kopenhagen", "Copenhagen/Europe"])
def test_misspelt_time_zone_gets_a_suggestion(text: str) -> None:
    (line,) = mistakes(TIME_ZONE=text)
    assert line.startswith("  TIME_ZONE: is not a time zone. ")
    assert ("Did you mean Europe/Copenhagen?" in line) is text.lower().startswith("europe")
    assert "Europe/Copenhagen" in line


def test_missing_time_zone_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tzdata", *(each for each in sys.modules if each.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert mistakes(TIME_ZONE="Europe/Oslo") == [
            "  TIME_ZONE: can't be read: this Python has no time zones. Install tzdata."
        ]
    finally:
        zoneinfo.reset_tzpath(to=before)
