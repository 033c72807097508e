"""Checks of the spool: writable, nearly empty, and on a disk that lasts."""

from collections.abc import Iterator
from pathlib import Path

from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE
from service.intake.spool import SpoolUnavailable

SPOOL = "spool"

_FLEETING = {"tmpfs", "ramfs", "overlay"}


def _writable(installation: Installation) -> Iterator[Finding]:
    spool, folder = installation.spool, installation.settings.spool_dir
    if spool is None or folder is None:
        yield warn("off", "While Redis is down, webhooks and answers are refused: name a folder in SPOOL_DIR")
        return
    if not folder.exists() and installation.onlooker:
        # The web creates it, as the user that has to own it.
        parent = next(each for each in folder.absolute().parents if each.exists())
        if parent.is_dir():
            yield ok("made at the first start of the web")
        else:
            yield fail(f"can't be used: {parent} is no folder", "Name a folder in SPOOL_DIR")
        return
    try:
        spool.prepare()
    except SpoolUnavailable as error:
        yield fail(f"can't be used: {error}", "Give the web's user the right to write there, or name another folder")
        return
    if not spool.probe():
        yield fail("full", "Raise SPOOL_MAX_BYTES, and see redis.reachable")
        return
    if not spool.has_room_for_answers():
        yield warn("full for answers and opt-outs: the rest is reserved for webhooks", "Raise SPOOL_MAX_BYTES")
    if kind := _fleeting_kind(folder):
        yield warn(f"{folder} is on {kind}, which a restart may empty", "Name a folder on a disk, or a volume")
    yield ok("writable")


def _waiting(installation: Installation) -> Iterator[Finding]:
    spool = installation.spool
    waiting, newer = (spool.waiting(), spool.left_to_newer()) if spool else (0, 0)
    if waiting > newer:
        yield warn(f"{waiting - newer} waiting for Redis", "See redis.reachable and redis.writable")
    if newer:
        yield warn(f"{newer} waiting for the newer version that wrote them", "Finish the deploy")
    if not waiting:
        yield ok("nothing is waiting")


def _corrupt(installation: Installation) -> Iterator[Finding]:
    corrupt = installation.spool.corrupt() if installation.spool else 0
    if corrupt:
        yield warn(f"{corrupt} could not be read and were set aside", "Look at the files in its folder corrupt/")
    else:
        yield ok("all could be read")


def _drained(installation: Installation) -> Iterator[Finding]:
    if installation.spool and (overdue := installation.spool.overdue()):
        yield fail(
            f"{overdue} waiting for over a minute, though Redis is available",
            "Is the web running? Its log may have spool.unavailable, spool.newer, redis.lost or recovery.failed",
        )
    else:
        yield ok("nothing is stuck")


def _fleeting_kind(folder: Path) -> str:
    """Return the type of the folder's file system if its contents may be gone after a restart."""
    place = folder.resolve()
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:  # No Linux.
        return ""
    mounts = {Path(where): kind for _, where, kind, *_ in map(str.split, lines)}
    kind = next((mounts[each] for each in (place, *place.parents) if each in mounts), "")
    return kind if kind in _FLEETING else ""


CHEAP = (
    Check(SPOOL, _writable),
    Check("spool.waiting", _waiting),
    Check("spool.corrupt", _corrupt),
    Check("spool.drained", _drained, (REACHABLE,)),
)
