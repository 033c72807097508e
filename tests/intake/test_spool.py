"""The spool loses nothing when a writer is killed or writes during a drain, and never shows half an entry."""

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from service.intake.spool import Entry, Spool
from tests.intake.folders import Down, drain_all, files, open_spool


def test_only_the_owner_may_read_the_spool(spool: Spool, tmp_path: Path) -> None:
    spool.put({})
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool", *files(tmp_path / "spool"))]
    assert modes == [0o700, 0o600]


def test_killed_writer_loses_no_acknowledged_entry_and_leaves_no_half_entry(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool", max_bytes=1 << 30)
    acknowledged: dict[str, int] = {}
    seen: dict[str, set[int]] = {}

    def take(entry: Entry) -> None:
        seen.setdefault(str(entry["writer"]), set()).add(int(entry["number"]))

    for run in range(40):
        sender, receiver = Pipe()
        writer = get_context("fork").Process(target=put_until_killed, args=(tmp_path / "spool", str(run), sender))
        writer.start()
        sender.close()
        receiver.recv()
        # The drain runs during the writes. Each run kills the writer at another moment.
        spool.drain(take)
        Event().wait(0.0007 * run)
        writer.kill()
        acknowledged[str(run)] = last_of(receiver)
        writer.join()
        spool.drain(take)
    assert spool.corrupt() == 0
    assert all(set(range(last + 1)) <= seen[run] for run, last in acknowledged.items())


def put_until_killed(folder: Path, name: str, sender: Connection) -> None:
    spool = open_spool(folder, max_bytes=1 << 30)
    for number in count():
        spool.put({"writer": name, "number": number, "padding": "x" * 20_000})
        sender.send(number)


def last_of(receiver: Connection) -> int:
    """Return the last acknowledged number of the writer."""
    last = 0
    with suppress(EOFError):
        while True:
            last = receiver.recv()
    receiver.close()
    return last


def test_files_of_a_killed_writer_are_deleted_after_an_hour(spool: Spool, tmp_path: Path) -> None:
    fresh, old = (tmp_path / "spool" / f".{name}.json" for name in ("fresh", "old"))
    for path in (fresh, old):
        path.write_text('{"half":')
    os.utime(old, (0, 0))
    assert (spool.waiting(), drain_all(spool)) == (0, [])
    spool.prepare()
    assert (fresh.exists(), old.exists()) == (True, False)


def test_concurrent_writes_and_drains_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    taken: list[Any] = []
    together = Barrier(4)

    def put(name: int) -> None:
        spool = open_spool(folder, max_bytes=50_000)
        together.wait()
        for number in range(100):
            spool.put({"name": name, "number": number})

    writers = [Thread(target=put, args=[name]) for name in range(3)]
    for writer in writers:
        writer.start()
    drainer = open_spool(folder)
    together.wait()
    while any(writer.is_alive() for writer in writers) or drainer.waiting():
        drainer.drain(lambda entry: taken.append((entry["name"], entry["number"])))
    assert sorted(taken) == [(name, number) for name in range(3) for number in range(100)]


def test_an_entry_is_plain_json(spool: Spool, tmp_path: Path) -> None:
    spool.put({"v": 1})
    assert [json.loads(path.read_bytes()) for path in files(tmp_path / "spool")] == [{"v": 1}]


def add(number: int) -> Callable[[Entry | None], Entry]:
    """Add a number to the entry."""
    return lambda before: {"numbers": [*(before["numbers"] if before else []), number]}


def test_entries_of_one_key_share_a_file(spool: Spool, tmp_path: Path) -> None:
    for number in range(200):
        spool.put_latest("a", add(number))
        spool.put_latest("b", add(-number))
    assert len(files(tmp_path / "spool")) == spool.waiting() == 2
    assert drain_all(spool) == [{"numbers": [*range(200)]}, {"numbers": [-number for number in range(200)]}]
    spool.put_latest("a", add(7))
    assert drain_all(spool) == [{"numbers": [7]}]


def test_an_entry_written_during_a_drain_is_kept(spool: Spool, tmp_path: Path) -> None:
    other = open_spool(tmp_path / "spool")
    spool.put_latest("a", add(1))
    taken: list[Entry] = []

    def take(entry: Entry) -> None:
        spool.put_latest("a", add(2))
        taken.append(entry)

    assert other.drain(take) == 1
    assert (taken, drain_all(other)) == ([{"numbers": [1]}], [{"numbers": [2]}])


def test_an_entry_after_a_failed_drain_keeps_its_order(spool: Spool) -> None:
    spool.put_latest("a", add(1))

    def refuse(entry: Entry) -> None:
        raise Down

    for _ in range(2):
        with pytest.raises(Down):
            spool.drain(refuse)
    spool.put_latest("a", add(2))
    assert drain_all(spool) == [{"numbers": [1]}, {"numbers": [2]}]


def test_writers_of_one_key_during_a_drain_lose_nothing(tmp_path: Path) -> None:
    folder, seen = tmp_path / "spool", set[int]()
    open_spool(folder)
    writers = [get_context("fork").Process(target=put_latest_often, args=(folder, first)) for first in (0, 1000)]
    for writer in writers:
        writer.start()
    drainer = open_spool(folder)
    while any(writer.is_alive() for writer in writers) or drainer.waiting():
        drainer.drain(lambda entry: seen.update(entry["numbers"]))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen == {*range(300), *range(1000, 1300)}


def put_latest_often(folder: Path, first: int) -> None:
    spool = open_spool(folder)
    for number in range(first, first + 300):
        spool.put_latest("a", add(number))


def test_a_corrupt_open_file_is_set_aside_and_the_next_is_kept(spool: Spool, tmp_path: Path) -> None:
    spool.put_latest("a", add(1))
    files(tmp_path / "spool")[0].write_text('{"half":')
    spool.put_latest("a", add(2))
    assert (spool.corrupt(), drain_all(spool)) == (1, [{"numbers": [2]}])


def test_a_text_is_stored_as_utf_8(spool: Spool, tmp_path: Path) -> None:
    entry = {"text": "ελληνικά 🙂 \ud800"}
    spool.put(entry)
    [file] = files(tmp_path / "spool")
    assert "ελληνικά 🙂".encode() in file.read_bytes()
    assert drain_all(spool) == [entry]
