"""The names of agents and queues in Dixa, for the pages and files of operators. Fetched once a day, kept for two.

Every method raises RecordsUnavailable when Redis can't be reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from service.records.redis import Store

_FRESH_FOR: Final = timedelta(days=1)
_KEPT_FOR: Final = timedelta(days=2)
_LEASE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NamesInDixa:
    """Names by id."""

    agents: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)


class Names(Store):
    """The names known in one installation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key, self._fresh_key = f"{self._prefix}names", f"{self._prefix}names:fresh"

    def claim(self) -> bool:
        """Return whether this process is to fetch the names. No other one gets the same answer for ten minutes."""
        return bool(self._run_command(lambda: self._redis.set(self._fresh_key, 1, nx=True, px=_LEASE)))

    def store(self, names: NamesInDixa) -> None:
        """Replace all names. They are fetched again in a day."""
        fields: dict[Any, Any] = {f"agent:{each}": name for each, name in names.agents.items()}
        fields |= {f"queue:{each}": name for each, name in names.queues.items()}
        pipeline = self._redis.pipeline()
        pipeline.delete(self._key)
        if fields:
            pipeline.hset(self._key, mapping=fields)
            pipeline.pexpire(self._key, _KEPT_FOR)
        pipeline.set(self._fresh_key, 1, px=_FRESH_FOR)
        self._run_command(pipeline.execute)

    def read(self) -> NamesInDixa:
        """Return the names known, in one round trip."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._key))
        kinds: dict[str, dict[str, str]] = {"agent": {}, "queue": {}}
        for field_name, name in found.items():
            kind, _, each = field_name.partition(":")
            kinds[kind][each] = name
        return NamesInDixa(kinds["agent"], kinds["queue"])
