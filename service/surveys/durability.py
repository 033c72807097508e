"""Whether a Redis keeps what it acknowledges: pure, from what it says of itself."""

from collections.abc import Iterator, Mapping
from typing import Any

OLDEST = (6, 2)
_LEAST_HEADROOM = 0.1


def find_problems(info: Mapping[str, Any], config: Mapping[str, str]) -> Iterator[str]:
    """Name each thing about a Redis that can lose a webhook or an answer, with the way out.

    `info` is Redis' `INFO`, `config` its `CONFIG GET *`, empty where that is forbidden, as managed services do.
    """
    version = str(info.get("redis_version", "0"))
    if _version(version) < OLDEST:
        yield f"Redis {version} is too old: 6.2 or newer is needed"
    if str(info.get("aof_enabled")) != "1":
        yield "appendonly is off, so a crash of Redis loses what it acknowledged: set appendonly yes"
    if not config:
        yield "CONFIG GET is forbidden here: make sure of appendfsync always and maxmemory-policy noeviction"
        return
    if config.get("appendfsync") != "always":
        yield f"appendfsync is {config.get('appendfsync')}, so a crash loses the last second: set appendfsync always"
    policy = config.get("maxmemory-policy")
    if policy != "noeviction" and config.get("maxmemory") != "0":
        yield f"maxmemory-policy is {policy}, so Redis throws surveys away when it is full: set it to noeviction"
    yield from _headroom(info)


def _headroom(info: Mapping[str, Any]) -> Iterator[str]:
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if most and used > most * (1 - _LEAST_HEADROOM):
        yield f"Redis uses {used * 100 // most} % of its maxmemory: give it more, it refuses writes when it is full"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
