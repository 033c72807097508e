"""The running processes: each reports itself to Redis every 20 seconds, and others compare the reports.

A disagreement has no other symptom of its own: with different SECRET_KEYS customers get a page that isn't found, with a
wrong clock every webhook is refused.
"""

import atexit
import json
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import redis

from service.records.redis import RecordsUnavailable, Store

_INTERVAL = timedelta(seconds=20)
_ALIVE_FOR = 3 * _INTERVAL
_RETENTION = timedelta(hours=1)
_MAX_CLOCK_OFFSET = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Process:
    """The report of one process: hashes of its settings, the mistake in newer ones, and its clock beside Redis's.

    `suspicions` counts the webhooks it refused in the last hour, by the probable mistake of ours.
    """

    role: str
    host: str
    settings: Mapping[str, str]
    problem: str = ""
    ahead_seconds: float = 0
    suspicions: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The role and the host, for people."""
        return f"{self.role} on {self.host}"


class Processes(Store):
    """The processes of one installation, as reported to its Redis."""

    def __init__(
        self,
        client: redis.Redis,
        settings: Mapping[str, str],
        *,
        suspicions: Callable[[], Mapping[str, int]] = dict,
        prefix: str = "afterword:",
    ) -> None:
        super().__init__(client, prefix=prefix)
        self._suspicions = suspicions
        self._settings = settings
        self._key = f"{prefix}processes"
        self._problem = ""
        self._news = Event()

    def report(self, role: str, problem: str = "") -> None:
        """Report this process from now on, in a thread. Best effort: without Redis there is no report."""
        self._problem = problem
        atexit.register(self._leave, role)
        Thread(target=self._run, args=(role,), name="processes", daemon=True).start()

    def set_problem(self, problem: str) -> None:
        """Report a mistake in newer settings at once."""
        self._problem = problem
        self._news.set()

    def write(self, role: str) -> None:
        """Report this process once, and remove old reports. Raises RecordsUnavailable."""
        now = self.read_clock().timestamp()
        ahead = -self.clock_offset.total_seconds()
        report = Process(role, socket.gethostname(), self._settings, self._problem, ahead, self._suspicions())
        self._run_command(lambda: self._redis.hset(self._key, _name(role), json.dumps(asdict(report) | {"at": now})))
        gone = [name for name, each in self._read() if now - each["at"] > _RETENTION.total_seconds()]
        if gone:
            self._run_command(lambda: self._redis.hdel(self._key, *gone))
        self._run_command(lambda: self._redis.expire(self._key, _RETENTION))

    def at_work(self) -> list[Process]:
        """Return the processes with a report in the last minute. Raises RecordsUnavailable."""
        since = self.read_clock().timestamp() - _ALIVE_FOR.total_seconds()
        alive = [each for _, each in self._read() if each["at"] >= since]
        return [Process(**{name: each[name] for name in Process.__slots__ if name in each}) for each in alive]

    def find_disagreements(self, onlooker: str = "") -> list[str]:
        """Return where the running processes disagree, and the mistakes in the settings and the clock of each.

        `onlooker` is the name of this process if it doesn't report itself but is to be compared. Raises
        RecordsUnavailable.
        """
        alive = self.at_work()
        looking = [Process(onlooker, socket.gethostname(), self._settings)] if onlooker else []
        found = (*_refused(alive), *_apart([*alive, *looking]), *_wrong_clocks(alive), *_suspicious(alive))
        return [*dict.fromkeys(found)]

    def _run(self, role: str) -> None:
        while True:
            self._news.clear()
            with suppress(RecordsUnavailable):  # Relay and recovery report an outage.
                self.write(role)
            self._news.wait(_INTERVAL.total_seconds())

    def _leave(self, role: str) -> None:
        with suppress(RecordsUnavailable):
            self._run_command(lambda: self._redis.hdel(self._key, _name(role)))

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, text in sorted(self._run_command(lambda: self._redis.hgetall(self._key)).items()):
            yield str(name), json.loads(text)


def _name(role: str) -> str:
    return f"{role}@{socket.gethostname()}:{os.getpid()}"


def _refused(alive: list[Process]) -> Iterator[str]:
    for each in alive:
        if each.problem:
            mistake = "; ".join(line.strip() for line in each.problem.splitlines())
            yield f"{each.place} keeps older settings, since newer ones have a mistake: {mistake}"


def _apart(alive: list[Process]) -> Iterator[str]:
    for name in dict.fromkeys(name for each in alive for name in each.settings):
        places: dict[str, list[str]] = defaultdict(list)
        for each in alive:
            if name in each.settings and each.place not in (group := places[each.settings[name]]):
                group.append(each.place)
        if len(places) > 1:
            groups = " | ".join(", ".join(group) for group in places.values())
            yield f"{name} is not the same in all processes ({groups}): give all the same, and restart them"


def _wrong_clocks(alive: list[Process]) -> Iterator[str]:
    for each in alive:
        if abs(each.ahead_seconds) > _MAX_CLOCK_OFFSET.total_seconds():
            apart = timedelta(seconds=round(abs(each.ahead_seconds)))
            which = "ahead of" if each.ahead_seconds > 0 else "behind"
            yield (
                f"the clock of {each.place} is {apart} {which} that of Redis: set the one that is wrong, or webhooks "
                f"will be refused"
            )


def _suspicious(alive: list[Process]) -> Iterator[str]:
    counts = Counter[str]()
    for each in alive:
        counts.update(each.suspicions)
    for hint, times in counts.items():
        yield f"webhooks refused in the last hour: {times}, {hint}"
