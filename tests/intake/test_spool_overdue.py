"""Entries are overdue after more than a minute without a drained entry."""

import os
import time
from pathlib import Path

import pytest

from service.intake.spool import Entry, EntryIsNewer, Spool
from tests.intake.folders import Down, age, drain_all


def test_entries_are_overdue_after_a_minute_without_a_drain(spool: Spool, tmp_path: Path) -> None:
    for number in range(3):
        spool.put({"number": number})
    assert spool.overdue() == 0
    age(tmp_path / "spool")
    assert spool.overdue() == 3

    def take_one(entry: Entry) -> None:
        if entry["number"]:
            raise Down

    with pytest.raises(Down):
        spool.drain(take_one)
    assert spool.overdue() == 0
    age(tmp_path / "spool")
    assert spool.overdue() == 2
    drain_all(spool)
    assert spool.overdue() == 0


def test_a_clock_set_back_hides_no_stuck_entry(spool: Spool, tmp_path: Path) -> None:
    spool.put({"number": 1})
    spool.restart_overdue()
    assert spool.overdue() == 0
    tomorrow = time.time() + 86_400
    for path in (tmp_path / "spool").iterdir():
        os.utime(path, (tomorrow, tomorrow))
    assert spool.overdue() == 1
    spool.restart_overdue()
    assert spool.overdue() == 0, "Redis has just recovered"


def test_an_entry_of_a_newer_version_is_not_overdue(spool: Spool, tmp_path: Path) -> None:
    spool.put({})

    def leave(entry: Entry) -> None:
        raise EntryIsNewer("newer")

    spool.drain(leave)
    age(tmp_path / "spool")
    assert spool.overdue() == 0
