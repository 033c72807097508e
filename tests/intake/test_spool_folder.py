"""A full, deleted, unwritable or unlockable folder is reported, and loses no entry."""

import os
import re
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.intake.spool import Spool, SpoolUnavailable
from tests.intake.folders import drain_all, files, open_spool


def test_an_unusable_lock_is_reported_and_stops_writes_and_drains(spool: Spool, tmp_path: Path) -> None:
    spool.put({})
    (tmp_path / "spool" / ".lock").mkdir()
    with capture_logs() as logs:
        assert [spool.drain(print) for _ in range(3)] == [0, 0, 0]
    assert [(each["event"], each["problem"]) for each in logs] == [
        ("spool.unavailable", "it can't be locked: Is a directory")
    ]
    with pytest.raises(SpoolUnavailable, match="it can't be locked: Is a directory"):
        spool.put({})
    assert not spool.probe()
    (tmp_path / "spool" / ".lock").rmdir()
    spool.put({})
    assert len(drain_all(spool)) == 2


def test_a_full_spool_refuses_entries_until_the_drain(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool", max_bytes=1000)
    for _ in range(9):
        spool.put({"text": "x" * 87})
    with pytest.raises(SpoolUnavailable, match="full"):
        spool.put({"text": "x" * 200})
    assert sum(path.stat().st_size for path in files(tmp_path / "spool")) <= 1000
    drain_all(spool)
    spool.put({"text": "x" * 200})


def test_the_last_quarter_is_reserved_for_webhooks(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool", max_bytes=10_000)
    for number in range(15):
        spool.put_latest(str(number), lambda before: {"text": "x" * 489})
    with pytest.raises(SpoolUnavailable, match="full"):
        spool.put_latest("one more", lambda before: {"text": "x"})
    assert not spool.has_room_for_answers()
    assert spool.probe()
    for _ in range(3):
        spool.put({"text": "x" * 500})
    drain_all(spool)
    assert spool.has_room_for_answers()


def test_a_deleted_folder_is_created_again(tmp_path: Path) -> None:
    spool, folder = open_spool(tmp_path / "spool"), tmp_path / "spool"
    shutil.rmtree(folder)
    spool.put({"n": 1})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert drain_all(spool) == [{"n": 1}]
    shutil.rmtree(folder)
    spool.put_latest("key", lambda _: {"n": 2})
    assert drain_all(spool) == [{"n": 2}]


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool")
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(SpoolUnavailable, match="File exists"):
        spool.put({})
    with pytest.raises(SpoolUnavailable, match="File exists"):
        spool.prepare()
    assert not spool.probe()
    assert (spool.waiting(), spool.corrupt(), drain_all(spool)) == (0, 0, [])


def test_a_full_disk_refuses_an_entry_and_keeps_no_file(spool: Spool, tmp_path: Path) -> None:
    with full_disk():
        with pytest.raises(SpoolUnavailable, match="File too large"):
            spool.put({"text": "x" * 5000})
        assert not spool.probe()
    assert list((tmp_path / "spool").iterdir()) == []
    assert spool.probe()


@contextmanager
def full_disk() -> Iterator[None]:
    """Set a file size limit of 0 for this process, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_leftover_probe_does_not_stop_the_next_process(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool")
    (tmp_path / "spool" / f".probe-{os.getpid()}").touch()
    spool.prepare()


def test_a_measurement_survives_deleted_files(tmp_path: Path) -> None:
    """A drain may delete a file during a measurement. The spool accepts entries all the same."""
    spool = open_spool(tmp_path / "spool")
    (tmp_path / "spool" / "0.json").symlink_to(tmp_path / "gone")
    spool.put({})
    assert spool.probe()


@pytest.mark.parametrize("key", ["../../outside", "/outside", "a/b", "\0", "." * 300])
def test_a_key_never_becomes_a_path(spool: Spool, tmp_path: Path, key: str) -> None:
    before = {*tmp_path.rglob("*")}
    spool.put_latest(key, lambda _: {"key": key})
    [made] = {*tmp_path.rglob("*")} - before
    assert made.parent == tmp_path / "spool"
    assert re.fullmatch(r"[0-9]+-[0-9]+-[0-9]+\.open\.json", made.name)
    assert drain_all(spool) == [{"key": key}]
