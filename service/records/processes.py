"""The running processes: each reports itself to Redis every 10 seconds, and others compare the reports.

A disagreement has no other symptom of its own: with different SECRET_KEYS customers get a page that isn't found, with a
wrong clock every webhook is refused. A report also adds the process's calls to Dixa to those of all processes.
"""

import atexit
import hashlib
import json
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from threading import Event, Thread
from typing import Any, Final

import redis
from redis.client import Pipeline

from service.records.redis import RecordsUnavailable, Store
from service.records.redis_pool import USUAL_CONNECTIONS, WEB_CONNECTIONS, WORKER_CONNECTIONS

_INTERVAL = timedelta(seconds=10)
ALIVE_FOR = 3 * _INTERVAL
_RETENTION = timedelta(hours=1)
_MAX_CLOCK_OFFSET = timedelta(seconds=60)

PROCESSES: Final = "processes"
LAST_WEBHOOK: Final = "last_webhook"
CALLS: Final = "dixa:calls"
"""Keys after the prefix."""


@dataclass(frozen=True, slots=True)
class Process:
    """The report of one process: hashes of its settings, the mistake in newer ones, and its clock beside Redis's.

    `suspicions` counts the webhooks it refused in the last hour, by the probable mistake of ours. `queue_problem` is
    why a worker can't read its queue, or "". `surveys_file` is the hash of the text
    of its surveys.toml. `age` is that of the report, in seconds.
    """

    role: str
    host: str
    settings: Mapping[str, str]
    problem: str = ""
    ahead_seconds: float = 0
    suspicions: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    queue_problem: str = ""
    surveys_file: str = ""
    age: float = 0

    @property
    def place(self) -> str:
        """The role and the host, for people."""
        return f"{self.role} on {self.host}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A mistake in the settings of one process, or between several.

    `aspect` is "refused" (newer settings), "surveys" (surveys.toml differs), "settings" (others differ), "clock" or
    "webhooks" (refused ones).
    """

    aspect: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the problem with its remedy."""
        return f"{self.problem}: {self.remedy}" if self.remedy else self.problem


class Processes(Store):
    """The processes of one installation, as reported to its Redis."""

    def __init__(  # noqa: PLR0913 - a process reports all of these
        self,
        client: redis.Redis,
        settings: Mapping[str, str],
        *,
        suspicions: Callable[[], Mapping[str, int]] = dict,
        queue_problem: Callable[[], str] = str,
        webhook_at: Callable[[], float] = float,
        calls: Callable[[], Mapping[str, int]] = dict,
        surveys_file: str = "",
        prefix: str = "afterword:",
    ) -> None:
        super().__init__(client, prefix=prefix)
        self._suspicions = suspicions
        self._queue_problem = queue_problem
        self._webhook_at = webhook_at
        self._reported_webhook_at = 0.0
        self._calls = calls
        self._reported_calls: Counter[str] = Counter()
        self._settings = settings
        self._surveys_text = surveys_file
        self._surveys_file = hashlib.sha256(surveys_file.encode()).hexdigest()[:12] if surveys_file else ""
        self._key = f"{prefix}{PROCESSES}"
        self._webhook_key = f"{prefix}{LAST_WEBHOOK}"
        self._calls_key = f"{prefix}{CALLS}"
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
        report = Process(
            role,
            socket.gethostname(),
            self._settings,
            self._problem,
            ahead,
            self._suspicions(),
            version("afterword"),
            self._queue_problem(),
            self._surveys_file,
        )
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.expire(self._file_key(self._surveys_file), _RETENTION)
        pipeline.hset(self._key, _name(role), json.dumps(asdict(report) | {"at": now}))
        is_text_kept, *_ = self._run_with_calls(pipeline)
        if self._surveys_file and not is_text_kept:
            key, text = self._file_key(self._surveys_file), self._surveys_text
            self._run_command(lambda: self._redis.set(key, text, ex=_RETENTION))
        if (webhook_at := self._webhook_at()) > self._reported_webhook_at:
            self._run_command(lambda: self._redis.set(self._webhook_key, str(webhook_at)))
            self._reported_webhook_at = webhook_at
        gone = [name for name, each in self._read() if now - each["at"] > _RETENTION.total_seconds()]
        if gone:
            self._run_command(lambda: self._redis.hdel(self._key, *gone))
        self._run_command(lambda: self._redis.expire(self._key, _RETENTION))

    def at_work(self) -> list[Process]:
        """Return the processes with a report in the last half minute. Raises RecordsUnavailable."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        pipeline.hgetall(self._key)
        (seconds, micros), found = self._run_command(pipeline.execute)
        now = seconds + micros / 1_000_000
        reports = [each | {"age": now - each["at"]} for each in map(json.loads, dict(sorted(found.items())).values())]
        alive = [each for each in reports if each["age"] <= ALIVE_FOR.total_seconds()]
        return [Process(**{name: each[name] for name in Process.__slots__ if name in each}) for each in alive]

    def surveys_files(self, running: Sequence[Process]) -> dict[str, str]:
        """Return the texts of the surveys.toml of these processes, by their hashes. Raises RecordsUnavailable."""
        names = [*dict.fromkeys(each.surveys_file for each in running if each.surveys_file)]
        texts = self._run_command(lambda: self._redis.mget([*map(self._file_key, names)])) if names else []
        return {name: text for name, text in zip(names, texts, strict=True) if text}

    def last_webhook(self) -> datetime | None:
        """Return when a web process last accepted a webhook, or None before the first one."""
        found = self._run_command(lambda: self._redis.get(self._webhook_key))
        return datetime.fromtimestamp(float(found), UTC) if found else None

    def find_disagreements(self, onlooker: str = "", alive: Sequence[Process] | None = None) -> list[Disagreement]:
        """Return where the running processes disagree, and the mistakes in the settings and the clock of each.

        `onlooker` is the name of this process if it doesn't report itself but is to be compared. `alive` are the
        running processes, if they were read just now. Raises RecordsUnavailable.
        """
        alive = self.at_work() if alive is None else alive
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
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hdel(self._key, _name(role))
            self._run_with_calls(pipeline)

    def _file_key(self, name: str) -> str:
        return f"{self._prefix}surveys_file:{name}"

    def _run_with_calls(self, pipeline: Pipeline) -> Sequence[Any]:
        """Run a pipeline that also adds the calls since the last report, and return its responses.

        After an error they may count twice.
        """
        calls = Counter(self._calls())
        for outcome, count in (calls - self._reported_calls).items():
            pipeline.hincrby(self._calls_key, outcome, count)
        responses: Sequence[Any] = self._run_command(pipeline.execute)
        self._reported_calls = calls
        return responses

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, text in sorted(self._run_command(lambda: self._redis.hgetall(self._key)).items()):
            yield str(name), json.loads(text)


def _name(role: str) -> str:
    return f"{role}@{socket.gethostname()}:{os.getpid()}"


def count_connections(alive: Iterable[str]) -> int:
    """Return the number of Redis connections of processes with these roles, or the Procfile's if that is more."""
    roles = Counter(alive)
    return max(roles["web"] * WEB_CONNECTIONS + roles["worker"] * WORKER_CONNECTIONS, USUAL_CONNECTIONS)


def _refused(alive: Sequence[Process]) -> Iterator[Disagreement]:
    for each in alive:
        if each.problem:
            mistake = "; ".join(line.strip() for line in each.problem.splitlines())
            problem = f"{each.place} keeps older settings, since newer ones have a mistake: {mistake}"
            yield Disagreement("refused", problem, "repair it, and send a HUP")


def _apart(alive: Sequence[Process]) -> Iterator[Disagreement]:
    for name in dict.fromkeys(name for each in alive for name in each.settings):
        places: dict[str, list[str]] = defaultdict(list)
        for each in alive:
            if name in each.settings and each.place not in (group := places[each.settings[name]]):
                group.append(each.place)
        if len(places) > 1:
            groups = " | ".join(f"{', '.join(group)}: {value}" for value, group in places.items())
            aspect = "surveys" if name == "SURVEYS_FILE" else "settings"
            problem = f"{name} is not the same in all processes ({groups})"
            yield Disagreement(aspect, problem, "give all the same, and restart them")


def _wrong_clocks(alive: Sequence[Process]) -> Iterator[Disagreement]:
    for each in alive:
        if abs(each.ahead_seconds) > _MAX_CLOCK_OFFSET.total_seconds():
            apart = timedelta(seconds=round(abs(each.ahead_seconds)))
            which = "ahead of" if each.ahead_seconds > 0 else "behind"
            problem = f"the clock of {each.place} is {apart} {which} that of Redis"
            yield Disagreement("clock", problem, "set the one that is wrong, or webhooks will be refused")


def _suspicious(alive: Sequence[Process]) -> Iterator[Disagreement]:
    counts = Counter[str]()
    for each in alive:
        counts.update(each.suspicions)
    for hint, times in counts.items():
        yield Disagreement("webhooks", f"webhooks refused in the last hour: {times}, {hint}")
