"""Whether a Redis keeps what it acknowledges, and has room for us: pure, from what it says of itself."""

from collections.abc import Iterator, Mapping
from typing import Any

OLDEST = (6, 2)
_LEAST_HEADROOM = 0.1


def find_problems(info: Mapping[str, Any], appendfsync: str | None, connections: int = 0) -> Iterator[str]:
    """Name each thing about a Redis that can lose a webhook or an answer, or stop the work, with the way out.

    `connections` is how many we may need. `info` is Redis' `INFO`, empty where that is forbidden; `appendfsync` is its
    setting, None where `CONFIG GET` is forbidden, as managed services do.
    """
    if not info:
        yield "INFO is forbidden here: make sure of Redis 6.2, appendonly yes, noeviction and enough memory"
    else:
        yield from _unsafe(info)
        yield from _headroom(info)
        yield from _connections(info, connections)
    if appendfsync is None:
        yield "CONFIG GET is forbidden here: make sure of appendfsync always"
    elif appendfsync != "always":
        yield f"appendfsync is {appendfsync}, so a crash loses the last second: set appendfsync always"


def find_unusable(info: Mapping[str, Any]) -> Iterator[str]:
    """Name what about a Redis is no matter of safety: nothing works there."""
    if info.get("redis_mode") == "cluster" or str(info.get("cluster_enabled")) == "1":
        yield (
            "this is a Redis Cluster, which spreads keys over its nodes, and Afterword's scripts can't use that: "
            "name a Redis without cluster mode in REDIS_URL, one primary, with replicas if you want them"
        )


def _unsafe(info: Mapping[str, Any]) -> Iterator[str]:
    version = str(info.get("redis_version", "0"))
    if _version(version) < OLDEST:
        yield f"Redis {version} is too old: 6.2 or newer is needed"
    yield from find_unusable(info)
    if info.get("role") == "slave":
        yield "this Redis is a replica, which keeps nothing of its own: name its master in REDIS_URL"
    if str(info.get("aof_enabled")) != "1":
        yield "appendonly is off, so a crash of Redis loses what it acknowledged: set appendonly yes"
    if info.get("aof_last_write_status", "ok") != "ok":
        yield "Redis could not write its append-only file: look after its disk, it refuses writes meanwhile"
    policy = info.get("maxmemory_policy")
    if policy is None:
        yield "Redis doesn't tell its maxmemory-policy: make sure of noeviction"
    elif policy != "noeviction" and _number(info, "maxmemory"):
        yield f"maxmemory-policy is {policy}, so Redis throws surveys away when it is full: set it to noeviction"


def _headroom(info: Mapping[str, Any]) -> Iterator[str]:
    most, used, there = (_number(info, name) for name in ("maxmemory", "used_memory", "total_system_memory"))
    if most and used > most * (1 - _LEAST_HEADROOM):
        yield f"Redis uses {used * 100 // most} % of its maxmemory: give it more, it refuses writes when it is full"
    elif not most and there and used > there * (1 - _LEAST_HEADROOM):
        yield f"Redis uses {used * 100 // there} % of its machine's memory: give it more, the system kills it otherwise"


def _connections(info: Mapping[str, Any], needed: int) -> Iterator[str]:
    most, there = _number(info, "maxclients"), _number(info, "connected_clients")
    if most and most < needed:
        yield (
            f"Redis takes {most} connections, and Afterword may need {needed}, twice that during a deploy: "
            f"raise maxclients, or take a larger plan"
        )
    elif most and there > most * (1 - _LEAST_HEADROOM):
        yield (
            f"{there} of the {most} connections that Redis takes are taken: "
            f"raise maxclients, take a larger plan, or see who has them (CLIENT LIST)"
        )


def _number(info: Mapping[str, Any], name: str) -> int:
    return int(info.get(name, 0))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
