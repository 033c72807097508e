"""Rows 3, 4 and 11: Redis killed, frozen, full, and with a full disk; the web restarted under load."""

import os
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic
from typing import Literal

import psutil

from tests.chaos.pressure import Load, NaiveAfterword, World, wait_until_drained, world
from tests.chaos.rows import Row, commit
from tests.polling import eventually
from tests.processes import Afterword

Scale = Literal["short", "long"]

_BEYOND_PATIENCE_SECONDS = 6.0
"""Longer than a request waits for Redis: two timeouts, of a command and of its retry."""
BACK_WITHIN_SECONDS = 30
RATE_OF_RESTARTS = 200
_NEIGHBOUR_WRITES = 8 * 1024 * 1024


# ── Row 3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_kills(seed: int, scale: Scale) -> Row:
    """Kill Redis repeatedly while webhooks come in and another process loads its disk."""
    kills = 5 if scale == "short" else 50
    chance = random.Random(seed)
    with world("web") as found, _busy_disk(found.spool.parent) as syncs:
        accepted, lost = _kill_redis(found, chance, kills, {})
        everysec = _kill_redis(found, chance, kills // 3, {"appendfsync": "everysec"})
        no_file = _kill_redis(found, chance, 2, {"appendonly": "no"})
        sync_ms = 1000 * median(syncs)
    shown = f"{kills} kills, {accepted} accepted, {lost} lost; a sync beside it took {sync_ms:.0f} ms"
    control = (
        f"appendonly no: {no_file[1]} of {no_file[0]} lost; appendfsync everysec: {everysec[1]} of {everysec[0]} lost"
    )
    passed = lost == 0 and accepted > kills and everysec[1] + no_file[1] > 0
    return Row(3, f"Redis kill -9 × {kills}, slow fsync", seed, commit(), shown, control, passed)


def _kill_redis(found: World, chance: random.Random, kills: int, config: dict[str, str]) -> tuple[int, int]:
    with Load(found, rate=60) as load:
        for _ in range(kills):
            with found.redis as client:
                for name, value in config.items():
                    client.config_set(name, value)
            # Long enough for the web to find Redis back, and to write to it again.
            load.goes_on_for(0.7 + chance.random() / 2)
            found.server.stop()
            load.goes_on_for(chance.random() / 4)
            found.server.start()
    wait_until_drained(found.afterword)
    return len(load.accepted), len(found.lost(load.accepted))


@contextmanager
def _busy_disk(folder: Path) -> Iterator[list[float]]:
    """Write and sync beside Redis' file, which slows its syncs. Yield the durations of the syncs."""
    stopping = Event()
    seconds = [0.0]

    def write(number: int) -> None:
        block = os.urandom(_NEIGHBOUR_WRITES)
        with (folder / f"neighbour-{number}").open("wb", buffering=0) as file:
            while not stopping.is_set():
                file.seek(0)
                file.write(block)
                begun_at = monotonic()
                os.fsync(file.fileno())
                seconds.append(monotonic() - begun_at)

    neighbours = [Thread(target=write, args=[number]) for number in range(2)]
    for each in neighbours:
        each.start()
    try:
        yield seconds
    finally:
        stopping.set()
        for each in neighbours:
            each.join()


# ── Row 4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Outage:
    """The outcome of a fault. `back` is the time from its end to the first offer accepted during it."""

    accepted: int
    refused: int
    lost: int
    doubled: int
    back: float

    def __str__(self) -> str:
        return f"{self.accepted} accepted, {self.refused} refused, back after {self.back:.1f} s"


Fault = Callable[[World, float], None]


def run_outages(seed: int, scale: Scale) -> Row:
    """Redis frozen, full, out of disk; then the spool's disk full as well."""
    seconds = 1.5 if scale == "short" else 60.0
    with world() as found:
        frozen, full, no_disk = (_suffer(found, fault, seconds) for fault in (_freeze, _fill, _fill_disk_of_redis))
        neither = _suffer(found, _fill_both_disks, seconds)
    with world("web", SPOOL_DIR="off") as naive:
        without = _suffer(naive, _freeze, max(seconds, _BEYOND_PATIENCE_SECONDS))
    outages = (frozen, full, no_disk, neither)
    shown = f"frozen {seconds:.0f} s: {frozen}; full: {full}; Redis' disk full: {no_disk}; both disks full: {neither}"
    shown += f"; {sum(each.lost for each in outages)} lost, {sum(each.doubled for each in outages)} doubled"
    control = f"SPOOL_DIR=off, frozen: {without.refused} of {without.refused + without.accepted} refused"
    passed = (
        not any(each.lost or each.doubled or each.back > BACK_WITHIN_SECONDS for each in outages)
        and all(each.accepted and not each.refused for each in (frozen, full, no_disk))
        and neither.refused > 0
        and without.refused > 0
    )
    return Row(4, "Redis frozen, full, without disk", seed, commit(), shown, control, passed)


def _suffer(found: World, fault: Fault, seconds: float) -> Outage:
    with Load(found, rate=min(20, 300 / seconds), threads=8) as load:
        fault(found, seconds)
        ended_at = monotonic()
    wait_until_drained(found.afterword)
    lost = found.lost(load.accepted)
    back, doubled, forgotten = monotonic() - ended_at, 0, 0
    if "worker" in found.afterword._running:
        ids = [int(each) for each in load.accepted - lost]
        _comes_true(lambda: any(found.dixa.messages(each) for each in ids), within=60)
        back = monotonic() - ended_at
        _comes_true(lambda: all(found.dixa.messages(each) for each in ids), within=120)
        forgotten = sum(1 for each in ids if not found.dixa.messages(each))
        doubled = sum(max(len(found.dixa.offers(each)) - 1, 0) for each in ids)
    return Outage(len(load.accepted), load.refused + load.unanswered, len(lost) + forgotten, doubled, back)


def _comes_true(condition: Callable[[], bool], within: float) -> bool:
    try:
        return eventually(condition, within)
    except AssertionError:
        # What it came to is in the row's figures.
        return False


def _freeze(found: World, seconds: float) -> None:
    found.server.freeze()
    Event().wait(seconds)
    found.server.thaw()


def _fill(found: World, seconds: float) -> None:
    with found.redis as client:
        client.config_set("maxmemory", "1")
        Event().wait(seconds)
        client.config_set("maxmemory", "0")


def _fill_disk_of_redis(found: World, seconds: float) -> None:
    """Fill Redis' disk. Redis ends, and is started again once there is room."""
    redis_pid = _pid_of(found)
    resource.prlimit(redis_pid, resource.RLIMIT_FSIZE, (0, 0))
    Event().wait(seconds)
    found.server.stop()
    found.server.start()


def _fill_both_disks(found: World, seconds: float) -> None:
    redis_pid, web = _pid_of(found), _web_pids(found.afterword)
    for each in (redis_pid, *web):
        resource.prlimit(each, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    Event().wait(seconds)
    for each in web:
        resource.prlimit(each, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    found.server.stop()
    found.server.start()


def _pid_of(found: World) -> int:
    with found.redis as client:
        return int(client.info("server")["process_id"])


def _web_pids(afterword: Afterword) -> list[int]:
    """Return the web's workers, without gunicorn's master."""
    return [each.pid for each in psutil.Process(afterword._running["web"].pid).children(recursive=True)]


# ── Row 11 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_restarts(seed: int, scale: Scale) -> Row:
    """Restart the web under load: by SIGTERM, by kill, and its workers one by one; Redis is away for a while too."""
    rounds = 1 if scale == "short" else 20
    ours, lost = _restart_web(seed, rounds, Afterword)
    naive, naive_lost = _restart_web(seed, rounds, NaiveAfterword)
    shown = f"{3 * rounds} restarts at {RATE_OF_RESTARTS}/s: {len(ours.accepted)} accepted, {lost} lost"
    shown += f", {ours.refused} refused, {ours.unanswered} found nobody"
    control = f"202 before the write: {naive_lost} of {len(naive.accepted)} lost"
    passed = lost == 0 and len(ours.accepted) > 0 and ours.refused == 0 and naive_lost > 0
    return Row(11, "Web restarts under load", seed, commit(), shown, control, passed)


def _restart_web(seed: int, rounds: int, kind: type[Afterword]) -> tuple[Load, int]:
    chance = random.Random(seed)
    with world("web", kind=kind) as found:
        afterword = found.afterword
        with Load(found, rate=RATE_OF_RESTARTS) as load:
            for _ in range(rounds):
                load.gets_through(chance.randrange(100, 200))
                _kill(chance.choice(_web_pids(afterword)))
                load.gets_through(chance.randrange(100, 200))
                afterword.kill("web")
                afterword.start("web")
                load.gets_through(chance.randrange(100, 200))
                found.server.stop()
                load.gets_through(chance.randrange(50, 100))
                afterword.stop()
                afterword.start("web")
                load.gets_through(chance.randrange(50, 100))
                found.server.start()
        # The spool may still hold some: they are kept as well.
        return load, len(found.lost(load.accepted))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


ROWS: dict[int, Callable[[int, Scale], Row]] = {3: run_kills, 4: run_outages, 11: run_restarts}
