"""A spool on a disk without locks or sync is reported, and accepts no entry."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.poor_disk import PoorDisk
from tests.processes import ROOT

PREPARE = """
import sys
from pathlib import Path
from service.intake.spool import Spool, SpoolUnavailable
spool = Spool(Path(sys.argv[1]), max_bytes=1000)
for act in (spool.prepare, lambda: spool.put({})):
    try:
        act()
    except SpoolUnavailable as error:
        print(error)
print(spool.probe(), spool.waiting(), len(list(Path(sys.argv[1]).iterdir())))
"""
LOSE = """
import sys
from pathlib import Path
from service.intake.spool import Spool, SpoolUnavailable
folder, lacking = map(Path, sys.argv[1:])
spool = Spool(folder, max_bytes=1000)
spool.prepare()
spool.put({"number": 1})
lacking.write_text("95")
print([spool.drain(print) for _ in range(3)])
try:
    spool.put({"number": 2})
except SpoolUnavailable as error:
    print(error)
print(spool.probe(), spool.waiting())
lacking.unlink()
spool.put({"number": 3})
spool.drain(print)
"""


def run(disk: PoorDisk, code: str, *arguments: Path) -> list[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    ended = subprocess.run(
        command, env=os.environ | disk.environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not ended.stderr, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS])
@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("flock", "it can't be locked"),
        ("fsync", "its files can't be synced"),
        ("fsync_folder", "it can't be synced"),
    ],
)
def test_unsuitable_disk_is_reported_and_gets_no_entry(tmp_path: Path, call: str, number: int, problem: str) -> None:
    spool = tmp_path / "spool"
    reported = f"{spool}: {problem}: {os.strerror(number)}"
    assert run(PoorDisk(tmp_path / "disk").lacks(call, number), PREPARE, spool) == [reported, reported, "False 0 0"]


def test_disk_without_locks_gets_no_entry(tmp_path: Path) -> None:
    spool, disk = tmp_path / "spool", PoorDisk(tmp_path / "disk")
    logged, *reported = run(disk, LOSE, spool, tmp_path / "disk" / "flock")
    problem = f"it can't be locked: {os.strerror(errno.EOPNOTSUPP)}"
    assert "spool.unavailable" in logged
    assert problem in logged
    assert reported == ["[0, 0, 0]", f"{spool}: {problem}", "False 1", "{'number': 1}", "{'number': 3}"]
