"""Counts what happens between two moments: commands and round trips to Redis, calls to Dixa, schemas built."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest
import redis
from marshmallow import Schema

from service.records.redis_pool import _StaleAware
from service.sandbox.server import Sandbox


@dataclass(frozen=True, slots=True)
class Cost:
    """`commands` includes those inside of scripts."""

    round_trips: int
    commands: int
    calls: int
    schemas: int

    def __str__(self) -> str:
        return (
            f"{self.round_trips} round trips with {self.commands} commands, "
            f"{self.calls} calls to Dixa, {self.schemas} schemas built"
        )


class Meter:
    """Measures what code in this process does with this Redis. `commands` has the last ones measured."""

    def __init__(self, redis_url: str, dixa: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url = redis_url
        self._dixa = dixa
        self._counts: Counter[str] = Counter()
        self.commands: list[str] = []
        self._count(monkeypatch, _StaleAware, "send_packed_command")
        self._count(monkeypatch, Schema, "__init__")

    def measure(self, act: Callable[[], object]) -> Cost:
        """Return the cost of an act."""
        with redis.Redis.from_url(self._url, single_connection_client=True) as client, client.monitor() as monitor:
            client.ping()
            reader = Thread(target=self._read, args=(monitor,))
            reader.start()
            before, calls = self._counts.copy(), len(self._dixa.calls)
            act()
            spent = self._counts - before
            client.echo("end")
            reader.join()
        return Cost(
            round_trips=spent["send_packed_command"],
            commands=len(self.commands),
            calls=len(self._dixa.calls) - calls,
            schemas=spent["__init__"],
        )

    def _read(self, monitor: Any) -> None:
        self.commands = []
        for each in monitor.listen():
            if each["command"] == "PING":
                self.commands = []
                continue
            if each["command"] == "ECHO end":
                return
            self.commands.append(f"{'  ' if each['client_type'] == 'lua' else ''}{each['command'][:80]}")

    def _count(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        inner = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._counts[name] += 1
            return inner(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
