"""Sends webhooks at a steady rate to its own Afterword, and checks the outcome of each accepted one."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Self

import redis
import requests

from service.sandbox.dixa.webhooks import closed_event, post, sign
from service.sandbox.fake_dixa import FakeDixa
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.polling import eventually
from tests.processes import API_TOKEN, WEBHOOK_SECRET, Afterword, RedisServer

SURVEYS = '[[survey]]\nname = "default"\ndelay = "0s"\neditable_for = "0s"\nsuspect_editable_for = "0s"\n'
QUICK = {
    "DIXA_PACE": "500/50",
    # A close lost by a defect must stay lost.
    "RECOVER_CLOSES": "off",
    "RELAY_INTERVAL": "50ms",
    "RECOVERY_WAIT": "500ms",
    "LEASE": "8s",
    "STEP_BUDGET": "4s",
    "RECONCILE_AFTER": "1s",
    "REQUEUE_AFTER": "2s",
    "BACKOFF_MIN": "100ms",
    "BACKOFF_MAX": "1s",
}
_OK = range(200, 300)
_NO_ANSWER = 0


class NaiveAfterword(Afterword):
    """The control of row 11: the same gunicorn command, around an app that says yes before it writes."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        super().__init__(folder, environ)
        self._commands["web"] = self._commands["web"].replace(
            "service.web.main:app", "tests.chaos.ack_before_write:app"
        )


@dataclass
class World:
    """A Redis, a sandbox and an Afterword of its own."""

    server: RedisServer
    dixa: Sandbox
    afterword: Afterword
    spool: Path

    @property
    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.server.url, decode_responses=True)

    def waiting(self) -> set[str]:
        """The surveys that are in the spool."""
        found = set()
        for path in self.spool.glob("[!.]*.json"):
            with suppress(FileNotFoundError):
                found.add(str(json.loads(path.read_bytes())["conversation_id"]))
        return found

    def lost(self, accepted: set[str]) -> set[str]:
        """Those said yes to that are neither in the spool nor in Redis; in this order, since they only move so."""
        spooled = self.waiting()
        with self.redis as client:
            return {each for each in accepted - spooled if not client.exists(f"afterword:survey:{each}")}


@contextmanager
def world(*names: str, kind: type[Afterword] = Afterword, **environ: str) -> Iterator[World]:
    """Start it all; the processes named, or both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = RedisServer(folder)
        server.start()
        dixa = Sandbox(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None)).start()
        (folder / "surveys.toml").write_text(SURVEYS)
        given = {"REDIS_URL": server.url, "DIXA_API_URL": dixa.api_url, "SURVEYS_FILE": str(folder / "surveys.toml")}
        afterword = kind(folder, QUICK | given | environ)
        try:
            afterword.start(*names)
            yield World(server, dixa, afterword, folder / "spool")
        finally:
            afterword.stop()
            server.thaw()
            server.stop()
            dixa.stop()


@dataclass
class Load:
    """Closes of new conversations, so many a second, until it is stopped; it remembers how each was answered."""

    world: World
    rate: float
    threads: int = 16
    accepted: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._stopping, self._lock, self._numbers = Event(), Lock(), count()
        self._begun_at = monotonic()
        self._senders = [Thread(target=self._send_on) for _ in range(self.threads)]
        for sender in self._senders:
            sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for sender in self._senders:
            sender.join()

    @property
    def refused(self) -> int:
        """How many were told no."""
        return sum(number for status, number in self.answers.items() if status not in _OK) - self.unanswered

    @property
    def unanswered(self) -> int:
        """How many found nobody, or were cut off."""
        return self.answers[_NO_ANSWER]

    def gets_through(self, more: int) -> None:
        """Wait until so many more were accepted."""
        before = len(self.accepted)
        eventually(lambda: len(self.accepted) >= before + more)

    def goes_on_for(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _send_on(self) -> None:
        dixa, url = self.world.dixa, self.world.afterword.webhook_url
        while not self._stopping.is_set():
            with self._lock:
                due_at = self._begun_at + next(self._numbers) / self.rate
            self._stopping.wait(max(0.0, due_at - monotonic()))
            number = dixa.make_conversation(state="Closed")
            status = _send(url, _body(dixa, number))
            with self._lock:
                self.answers[status] += 1
                if status in _OK:
                    self.accepted.add(str(number))


def _body(dixa: FakeDixa, number: int) -> bytes:
    return json.dumps(closed_event(dixa.conversation(number), dixa.state.organization)).encode()


def _send(url: str, body: bytes) -> int:
    try:
        return post(url, body, sign(body, WEBHOOK_SECRET), timeout=10)
    except OSError:
        return _NO_ANSWER


def is_drained(afterword: Afterword) -> bool:
    try:
        degraded = requests.get(f"{afterword.url}/readyz", timeout=5).json()["degraded"]
    except requests.RequestException:
        return False
    return not {"redis.reachable", "redis.writable", "spool.waiting"} & set(degraded)


def wait_until_drained(afterword: Afterword) -> None:
    # One entry after the other, each with a sync of Redis' file: 40 a second on a slow disk.
    eventually(lambda: is_drained(afterword), within=300)
