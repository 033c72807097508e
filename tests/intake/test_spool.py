"""The spool loses nothing in crashes, on full disks and beside other drains, and never shows half an entry."""

import json
import os
import resource
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.intake.spool import Entry, EntryError, EntryIsNewer, Spool, SpoolUnavailable
from service.records.answer_transitions import GivenAnswer
from service.surveys.links import Link
from tests.harness import AT_ONCE, CSAT, Story, without_redis

MB = 1024 * 1024


class Down(Exception):
    """Redis, as a drainer meets it."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return opened(tmp_path / "spool")


def opened(folder: Path, max_bytes: int = MB) -> Spool:
    spool = Spool(folder, max_bytes=max_bytes)
    spool.prepare()
    return spool


def drained(spool: Spool) -> list[Entry]:
    taken: list[Entry] = []
    spool.drain(taken.append)
    return taken


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def test_entries_are_drained_in_order(spool: Spool) -> None:
    entries: list[Entry] = [{"number": number, "text": "Tak 🙂"} for number in range(50)]
    for entry in entries:
        spool.put(entry)
    assert spool.waiting() == 50
    assert drained(spool) == entries
    assert (spool.waiting(), drained(spool)) == (0, [])


def test_only_the_owner_may_read_it(spool: Spool, tmp_path: Path) -> None:
    spool.put({})
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool", *files(tmp_path / "spool"))]
    assert modes == [0o700, 0o600]


def test_a_killed_writer_leaves_no_half_entry_and_loses_no_acknowledged_one(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool", max_bytes=1 << 30)
    acknowledged: dict[str, int] = {}
    seen: dict[str, set[int]] = {}

    def take(entry: Entry) -> None:
        seen.setdefault(str(entry["writer"]), set()).add(int(entry["number"]))

    for run in range(40):
        said, ear = Pipe()
        writer = get_context("fork").Process(target=put_for_ever, args=(tmp_path / "spool", str(run), said))
        writer.start()
        said.close()
        ear.recv()
        # A drainer looks while the writer writes, and the kill comes at a moment of its own.
        spool.drain(take)
        Event().wait(0.0007 * run)
        writer.kill()
        acknowledged[str(run)] = last_of(ear)
        writer.join()
        spool.drain(take)
    assert spool.set_aside() == 0
    assert all(set(range(last + 1)) <= seen[run] for run, last in acknowledged.items())


def put_for_ever(folder: Path, name: str, said: Connection) -> None:
    spool = opened(folder, max_bytes=1 << 30)
    for number in count():
        spool.put({"writer": name, "number": number, "padding": "x" * 20_000})
        said.send(number)


def last_of(ear: Connection) -> int:
    """Return the last acknowledged number of the writer."""
    last = 0
    with suppress(EOFError):
        while True:
            last = ear.recv()
    ear.close()
    return last


def test_files_of_a_killed_writer_are_deleted_after_an_hour(spool: Spool, tmp_path: Path) -> None:
    fresh, old = (tmp_path / "spool" / f".{name}.json" for name in ("fresh", "old"))
    for path in (fresh, old):
        path.write_text('{"half":')
    os.utime(old, (0, 0))
    assert (spool.waiting(), drained(spool)) == (0, [])
    spool.prepare()
    assert (fresh.exists(), old.exists()) == (True, False)


@pytest.mark.parametrize("body", [b"", b'{"half":', b"[]", b"7", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_corrupt_file_is_set_aside_and_reported(spool: Spool, tmp_path: Path, body: bytes) -> None:
    spool.put({"number": 1})
    (tmp_path / "spool" / "0-corrupt.json").write_bytes(body)
    with capture_logs() as logs:
        assert drained(spool) == [{"number": 1}]
    assert [(each["event"], each["file"]) for each in logs] == [("spool.corrupt", "0-corrupt.json")]
    assert (spool.waiting(), spool.set_aside()) == (0, 1)
    assert (tmp_path / "spool" / "corrupt" / "0-corrupt.json").read_bytes() == body


def test_an_unreadable_entry_is_set_aside(spool: Spool) -> None:
    spool.put({"kind": "riddle"})
    spool.put({"kind": "answer"})
    taken = []

    def take(entry: Entry) -> None:
        if entry["kind"] == "riddle":
            raise EntryError("a riddle")
        taken.append(entry)

    assert spool.drain(take) == 1
    assert (taken, spool.set_aside()) == ([{"kind": "answer"}], 1)


def test_an_outage_in_the_middle_keeps_the_rest(spool: Spool) -> None:
    for number in range(4):
        spool.put({"number": number})

    def take(entry: Entry) -> None:
        if entry["number"] == 2:
            raise Down

    with pytest.raises(Down):
        spool.drain(take)
    assert drained(spool) == [{"number": 2}, {"number": 3}]


def test_a_failing_entry_does_not_block_the_others_for_good(spool: Spool) -> None:
    for number in range(3):
        spool.put({"number": number})
    taken = []

    def take(entry: Entry) -> None:
        if entry["number"] == 0:
            raise Down
        taken.append(entry["number"])

    for _ in range(4):
        with pytest.raises(Down):
            spool.drain(take)
    assert taken == [1, 2]
    assert spool.waiting() == 1


def test_a_file_without_permission_does_not_block_the_others_for_good(spool: Spool, tmp_path: Path) -> None:
    """It is a folder here, since the user of the tests may read every file."""
    (tmp_path / "spool" / "0.json").mkdir()
    spool.put({"number": 1})
    taken: list[Entry] = []
    for _ in range(4):
        with pytest.raises(OSError, match="directory"):
            spool.drain(taken.append)
    assert taken == [{"number": 1}]


def test_an_unopenable_lock_is_reported_and_nothing_is_taken(spool: Spool, tmp_path: Path) -> None:
    spool.put({})
    (tmp_path / "spool" / ".lock").mkdir()
    with capture_logs() as logs:
        assert [spool.drain(print) for _ in range(3)] == [0, 0, 0]
    assert [(each["event"], each["problem"]) for each in logs] == [
        ("spool.unavailable", "it can't be locked: Is a directory")
    ]
    with pytest.raises(SpoolUnavailable, match="it can't be locked: Is a directory"):
        spool.put({})
    assert not spool.is_writable()
    (tmp_path / "spool" / ".lock").rmdir()
    spool.put({})
    assert len(drained(spool)) == 2


def test_a_long_outage_keeps_the_order(spool: Spool) -> None:
    entries: list[Entry] = [{"number": number} for number in range(5)]
    for entry in entries:
        spool.put(entry)

    def refuse(entry: Entry) -> None:
        raise Down

    for _ in range(25):
        with pytest.raises(Down):
            spool.drain(refuse)
    assert drained(spool) == entries


def test_a_failing_entry_delays_its_own_conversation(spool: Spool) -> None:
    entries = [{"conversation_id": conversation, "number": n} for n, conversation in enumerate([7, 8, 7, 9])]
    for entry in entries:
        spool.put(entry)
    taken = []

    def take(entry: Entry) -> None:
        if entry["number"] == 0:
            raise Down
        taken.append(entry["number"])

    for _ in range(9):
        with pytest.raises(Down):
            spool.drain(take)
    assert taken == [1, 3]
    assert drained(spool) == [entries[0], entries[2]]


def test_an_entry_of_a_newer_version_waits_for_it(spool: Spool, tmp_path: Path) -> None:
    for version in (2, 1, 2):
        spool.put({"v": version})
    asked, taken = [], []

    def take(entry: Entry) -> None:
        asked.append(entry["v"])
        if entry["v"] > 1:
            raise EntryIsNewer("newer")
        taken.append(entry["v"])

    with capture_logs() as logs:
        assert [spool.drain(take) for _ in range(5)] == [1, 0, 0, 0, 0]
    assert (taken, asked) == ([1], [2, 1, 2])
    assert (spool.waiting(), spool.left_to_newer(), spool.set_aside()) == (2, 2, 0)
    assert [(each["event"], each["entries"]) for each in logs] == [("spool.newer", 2)]
    assert drained(opened(tmp_path / "spool")) == [{"v": 2}, {"v": 2}]
    assert spool.left_to_newer() == 0


def age(folder: Path) -> None:
    """Let an hour go by."""
    for path in (*files(folder), folder / ".lock"):
        if path.exists():
            os.utime(path, (0, 0))


def test_an_entry_is_overdue_after_a_minute_without_a_drained_one(spool: Spool, tmp_path: Path) -> None:
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
    drained(spool)
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
    assert spool.overdue() == 0, "Redis is back just now"


def test_an_entry_of_a_newer_version_is_not_overdue(spool: Spool, tmp_path: Path) -> None:
    spool.put({})

    def leave(entry: Entry) -> None:
        raise EntryIsNewer("newer")

    spool.drain(leave)
    age(tmp_path / "spool")
    assert spool.overdue() == 0


def test_a_full_spool_refuses_until_it_is_drained(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool", max_bytes=1000)
    for _ in range(9):
        spool.put({"text": "x" * 87})
    with pytest.raises(SpoolUnavailable, match="full"):
        spool.put({"text": "x" * 200})
    assert sum(path.stat().st_size for path in files(tmp_path / "spool")) <= 1000
    drained(spool)
    spool.put({"text": "x" * 200})


def test_a_deleted_folder_is_created_again(tmp_path: Path) -> None:
    spool, folder = opened(tmp_path / "spool"), tmp_path / "spool"
    shutil.rmtree(folder)
    spool.put({"n": 1})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert drained(spool) == [{"n": 1}]
    shutil.rmtree(folder)
    spool.put_latest("key", lambda _: {"n": 2})
    assert drained(spool) == [{"n": 2}]


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(SpoolUnavailable, match="File exists"):
        spool.put({})
    with pytest.raises(SpoolUnavailable, match="File exists"):
        spool.prepare()
    assert not spool.is_writable()
    assert (spool.waiting(), spool.set_aside(), drained(spool)) == (0, 0, [])


def test_a_full_disk_refuses_and_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    with no_room():
        with pytest.raises(SpoolUnavailable, match="File too large"):
            spool.put({"text": "x" * 5000})
        assert not spool.is_writable()
    assert list((tmp_path / "spool").iterdir()) == []
    assert spool.is_writable()


def test_a_leftover_probe_does_not_stop_the_next_process(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool")
    (tmp_path / "spool" / f".probe-{os.getpid()}").touch()
    spool.prepare()


def test_only_one_of_two_drainers_drains(spool: Spool, tmp_path: Path) -> None:
    other = opened(tmp_path / "spool")
    for number in range(3):
        spool.put({"number": number})
    seen: list[Any] = []

    def take(entry: Entry) -> None:
        seen.append((entry["number"], drained(other)))

    assert spool.drain(take) == 3
    assert seen == [(0, []), (1, []), (2, [])]


def test_concurrent_writes_and_drains_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    taken: list[Any] = []
    together = Barrier(4)

    def put(name: int) -> None:
        spool = opened(folder, max_bytes=50_000)
        together.wait()
        for number in range(100):
            spool.put({"name": name, "number": number})

    writers = [Thread(target=put, args=[name]) for name in range(3)]
    for writer in writers:
        writer.start()
    drainer = opened(folder)
    together.wait()
    while any(writer.is_alive() for writer in writers) or drainer.waiting():
        drainer.drain(lambda entry: taken.append((entry["name"], entry["number"])))
    assert sorted(taken) == [(name, number) for name in range(3) for number in range(100)]


def test_measuring_survives_deleted_files(tmp_path: Path) -> None:
    """A drain may delete a file during a measurement. That is no reason to refuse."""
    spool = opened(tmp_path / "spool")
    (tmp_path / "spool" / "0.json").symlink_to(tmp_path / "gone")
    spool.put({})
    assert spool.is_writable()


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
    assert drained(spool) == [{"numbers": [*range(200)]}, {"numbers": [-number for number in range(200)]}]
    spool.put_latest("a", add(7))
    assert drained(spool) == [{"numbers": [7]}]


def test_an_entry_written_during_a_drain_is_kept(spool: Spool, tmp_path: Path) -> None:
    other = opened(tmp_path / "spool")
    spool.put_latest("a", add(1))
    taken: list[Entry] = []

    def take(entry: Entry) -> None:
        spool.put_latest("a", add(2))
        taken.append(entry)

    assert other.drain(take) == 1
    assert (taken, drained(other)) == ([{"numbers": [1]}], [{"numbers": [2]}])


def test_an_entry_written_after_a_failed_drain_comes_second(spool: Spool) -> None:
    spool.put_latest("a", add(1))

    def refuse(entry: Entry) -> None:
        raise Down

    for _ in range(2):
        with pytest.raises(Down):
            spool.drain(refuse)
    spool.put_latest("a", add(2))
    assert drained(spool) == [{"numbers": [1]}, {"numbers": [2]}]


def test_writers_of_one_key_during_a_drain_lose_nothing(tmp_path: Path) -> None:
    folder, seen = tmp_path / "spool", set[int]()
    opened(folder)
    writers = [get_context("fork").Process(target=put_latest_often, args=(folder, first)) for first in (0, 1000)]
    for writer in writers:
        writer.start()
    drainer = opened(folder)
    while any(writer.is_alive() for writer in writers) or drainer.waiting():
        drainer.drain(lambda entry: seen.update(entry["numbers"]))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen == {*range(300), *range(1000, 1300)}


def put_latest_often(folder: Path, first: int) -> None:
    spool = opened(folder)
    for number in range(first, first + 300):
        spool.put_latest("a", add(number))


def test_a_corrupt_open_file_is_set_aside_and_the_next_is_kept(spool: Spool, tmp_path: Path) -> None:
    spool.put_latest("a", add(1))
    files(tmp_path / "spool")[0].write_text('{"half":')
    spool.put_latest("a", add(2))
    assert (spool.set_aside(), drained(spool)) == (1, [{"numbers": [2]}])


def test_the_last_quarter_is_reserved_for_webhooks(tmp_path: Path) -> None:
    spool = opened(tmp_path / "spool", max_bytes=10_000)
    for number in range(15):
        spool.put_latest(str(number), lambda before: {"text": "x" * 489})
    with pytest.raises(SpoolUnavailable, match="full"):
        spool.put_latest("one more", lambda before: {"text": "x"})
    assert not spool.has_room_for_answers()
    assert spool.is_writable()
    for _ in range(3):
        spool.put({"text": "x" * 500})
    drained(spool)
    assert spool.has_room_for_answers()


def test_a_text_is_stored_as_utf_8(spool: Spool, tmp_path: Path) -> None:
    entry = {"text": "ελληνικά 🙂 \ud800"}
    spool.put(entry)
    [file] = files(tmp_path / "spool")
    assert "ελληνικά 🙂".encode() in file.read_bytes()
    assert drained(spool) == [entry]


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


OLD_ANSWER = (
    '{"v": 1, "kind": "answer", "survey_id": "%s", "conversation_id": %s, "survey": "default", '
    '"rating_ids": {"Csat": "0e2f"}, "terms": {"name": "default", "ratings": ["Csat"]}, "scores": {"Csat": %d}, '
    '"comment": "%s", "language": "el", "is_suspect": false, "answered_at": 17785440000%02d}'
)


def test_files_of_an_older_version_are_drained_in_order(story: Story, spool: Spool, tmp_path: Path) -> None:
    """One for each answer, and with escapes."""
    survey_id = story.begin()
    for number, comment in enumerate(["\\u03b5\\u03cd\\u03b3\\u03b5", ""]):
        body = OLD_ANSWER % (survey_id, survey_id, 3 + number, comment, number)
        (tmp_path / "spool" / f"0177854400000000000{number}-4711-{number}.json").write_text(body)
    assert spool.drain(story.intake().take_spooled) == 2
    answered = story.load(survey_id).answered
    assert (answered.scores, answered.comment) == ({CSAT: 4}, "εύγε")


@pytest.mark.parametrize(("ahead", "score"), [(timedelta(), 1), (timedelta(seconds=-40), 5)], ids=["right", "fast"])
def test_a_spooled_answer_has_the_time_of_redis_clock(story: Story, spool: Spool, ahead: timedelta, score: int) -> None:
    """The clock of the web's host is right, or fast by 40 s, as far as it has seen."""
    survey_id = story.begin(replace(AT_ONCE, editable_for=timedelta(hours=1)))
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 5})
    away = story.intake(spool=spool)
    away._records = without_redis(story.records)
    away._records.clock_offset = ahead
    away.take_answer(GivenAnswer(Link.to(story.load(survey_id)), AT_ONCE, {CSAT: 1}, "", "en"))
    assert spool.drain(story.intake().take_spooled) == 1
    assert story.load(survey_id).answered.scores == {CSAT: score}
