"""What processes cost: the CPU and memory of their trees, and the commands that Redis ran for them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import psutil
import redis

from tests.polling import eventually

_SETTLED_SECONDS, _SETTLED_CPU = 0.3, 0.015


def tree(*pids: int) -> list[psutil.Process]:
    """Return processes with all their descendants."""
    roots = [psutil.Process(pid) for pid in pids]
    return roots + [child for root in roots for child in root.children(recursive=True)]


def cpu_seconds(*pids: int) -> float:
    """Return the CPU time of process trees, kernel's included, and that of children which have ended."""
    total = 0.0
    for process in tree(*pids):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


def pss_bytes(*pids: int) -> int:
    """Return the proportional memory of process trees: what forks share counts once."""
    return sum(_pss_bytes(process.pid) for process in tree(*pids))


def _pss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def wait_until_settled(*pids: int) -> None:
    """Wait until processes have started: all of them sleep, and none uses the CPU for a moment."""

    def is_settled() -> bool:
        before = cpu_seconds(*pids)
        Event().wait(_SETTLED_SECONDS)
        asleep = all(process.status() == psutil.STATUS_SLEEPING for process in tree(*pids))
        return asleep and cpu_seconds(*pids) - before <= _SETTLED_CPU

    eventually(is_settled)


@dataclass(frozen=True, slots=True)
class RedisUse:
    """Counts of a Redis server since its start.

    `commands` include those inside of scripts. `round_trips` are the reads from clients: a pipeline and a script are
    one each.
    """

    commands: int
    round_trips: int
    memory: int

    @classmethod
    def of(cls, client: redis.Redis) -> "RedisUse":
        """Read the counts. That is itself one command and one round trip."""
        info = client.info("all")
        return cls(info["total_commands_processed"], info["total_reads_processed"], info["used_memory"])

    def __sub__(self, before: "RedisUse") -> "RedisUse":
        """Return the difference, without the query for the second count."""
        return RedisUse(
            self.commands - before.commands - 1,
            self.round_trips - before.round_trips - 1,
            self.memory - before.memory,
        )
