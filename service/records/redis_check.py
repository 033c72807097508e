"""Checks of a Redis: whether it keeps what it acknowledged, has room, and lets its user run our commands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.exceptions import NoPermissionError, ResponseError

from service.records.confirmation import replicas_of

OLDEST: Final = (6, 2)
_MIN_HEADROOM: Final = 0.1
_UNKNOWN: Final = "unknown command"
_MANY_KEYS: Final = 10_000
_COMPACT_BYTES: Final = 1024
"""Redis stores a hash compactly if no value is longer than its limit. The longest of a record is its close."""

# `ACL DRYRUN` would need Redis 7, and a right that such a user lacks. So each command is tried on a key of our own. The
# key holds a string, and most of these commands need another type. Redis checks the rights first and the type second,
# so the error shows whether the right is missing, and nothing is changed.
_TRIES: Final = (
    ("SET", "{key} 1 PX 10000"),
    ("GET MGET EXISTS INCR PTTL PERSIST HGETALL LLEN SCARD SMEMBERS ZCARD", "{key}"),
    ("HDEL HGET HMGET", "{key} field"),
    ("HSET", "{key} field value"),
    ("HINCRBY", "{key} field 1"),
    ("INCRBY", "{key} 1"),
    ("BRPOP", "{key} 0.01"),
    ("LPUSH RPUSH SADD SREM ZREM", "{key} value"),
    ("ZADD", "{key} 1 value"),
    ("ZCOUNT ZRANGE ZRANGEBYSCORE ZREMRANGEBYRANK ZREMRANGEBYSCORE", "{key} 0 1"),
    ("EVALSHA", "0000000000000000000000000000000000000000 1 {key}"),
    ("SCRIPT", "LOAD -"),
    ("EXPIRE", "{key} 10"),
    ("PEXPIRE", "{key} 10000"),
    ("SCAN", "0"),
    ("TIME PING MULTI EXEC", ""),
    ("DEL", "{key}"),
)
"""Commands with the same arguments, in the order of the tries."""
COMMANDS: Final = tuple(name for names, _ in _TRIES for name in names.split())
"""All commands that web and workers run. A Redis user needs the right to each."""
REPLICATION_COMMANDS: Final = ("WAIT",)
"""Those that they need for REDIS_REPLICAS beside."""


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk of losing a webhook or an answer, or of standing still. `is_present`: it is a fault already.

    `aspect` is "persistence", "eviction", "memory", "connections", "replica", "sentinels", "cluster" or "version".
    """

    aspect: str
    problem: str
    remedy: str
    is_present: bool = False

    def __str__(self) -> str:
        """Return the risk with its remedy."""
        return f"{self.problem}: {self.remedy}"


def find_risks(info: Mapping[str, Any], appendfsync: str | None, connections: int = 0) -> Iterator[Risk]:
    """Yield each risk.

    `info` is the output of `INFO`, empty where that is forbidden. `appendfsync` is None where `CONFIG GET` is
    forbidden, as on managed services. `connections` is the maximum of all processes together.
    """
    if not info:
        hidden = "make sure of Redis 6.2, appendonly yes, noeviction and enough memory"
        yield Risk("persistence", "INFO is forbidden here", hidden)
    else:
        yield from _unsafe(info)
        yield from _headroom(info)
        yield from _connections(info, connections)
    if appendfsync is None:
        yield Risk("persistence", "CONFIG GET is forbidden here", "make sure of appendfsync always")
    elif appendfsync != "always":
        lost = f"appendfsync is {appendfsync}, so a crash loses the last second"
        yield Risk("persistence", lost, "set appendfsync always")


def find_saving(info: Mapping[str, Any], limits: Mapping[str, str]) -> str:
    """Return how this Redis could hold its records in half the memory. Empty if it does, or has few.

    `limits` is the output of `CONFIG GET hash-max-*-value`. Before Redis 7 it is named after ziplists.
    """
    keys = sum(each.get("keys", 0) for name, each in info.items() if name.startswith("db") and isinstance(each, dict))
    short = sorted(name for name, limit in limits.items() if int(limit) < _COMPACT_BYTES)
    if keys < _MANY_KEYS or not short:
        return ""
    return f"{short[0]} is {limits[short[0]]}: set it to {_COMPACT_BYTES}, and new records take half the memory"


def find_unusable(info: Mapping[str, Any]) -> Iterator[Risk]:
    """Yield each reason why nothing works on this Redis."""
    if info.get("redis_mode") == "cluster" or str(info.get("cluster_enabled")) == "1":
        yield Risk(
            "cluster",
            "this is a Redis Cluster, which spreads keys over its nodes, and its scripts and Celery can't use that",
            "name a Redis without cluster mode in REDIS_URL, one primary, with replicas if you want them",
            is_present=True,
        )


def find_missing_rights(client: redis.Redis, prefix: str = "afterword:") -> Iterator[str]:
    """Yield each right that the user of this client lacks, with its remedy. Raises the errors of redis-py."""
    confirming = [(each, "0 1") for each in REPLICATION_COMMANDS] if replicas_of(client) else []
    tries = (*_TRIES, *confirming)
    try:
        connection = client.connection_pool.get_connection()
    except NoPermissionError:
        yield "the user of REDIS_URL may not run SELECT, which a database other than 0 needs: allow it that, or use 0"
        return
    try:
        refusals = _try_all(connection, tries, f"{prefix}check")
    finally:
        # The tries may leave it inside of MULTI.
        connection.disconnect()  # type: ignore[no-untyped-call]
        client.connection_pool.release(connection)
    if any(_UNKNOWN in text for _, text in refusals):
        yield "this Redis doesn't know WAIT, which REDIS_REPLICAS needs: leave it out, or take a Redis that does"
    refusals = [each for each in refusals if _UNKNOWN not in each[1]]
    if commands := [name for name, text in refusals if "access" not in text]:
        rights = " ".join(f"+{each.lower()}" for each in commands)
        yield f"the user of REDIS_URL may not run {', '.join(commands)}: allow it that (ACL SETUSER … {rights})"
    if len(commands) < len(refusals):
        yield f"the user of REDIS_URL may not use our keys: allow it those (ACL SETUSER … ~{prefix}*)"


def _try_all(connection: Any, tries: Iterable[tuple[str, str]], key: str) -> list[tuple[str, str]]:
    """Try each command. Return the refused ones with the text of the refusal."""
    refusals = []
    commands = [[name, *arguments.format(key=key).split()] for names, arguments in tries for name in names.split()]
    connection.send_packed_command(connection.pack_commands(commands))
    for name, *_ in commands:
        try:
            connection.read_response()
        except ResponseError as error:
            # EXEC names the right that aborted it. Every other error is about the type of our key.
            is_unknown = name == "WAIT" and _UNKNOWN in str(error)
            if isinstance(error, NoPermissionError) or "NOPERM" in str(error) or is_unknown:
                refusals.append((name, str(error)))
    return refusals


def _unsafe(info: Mapping[str, Any]) -> Iterator[Risk]:
    version = str(info.get("redis_version", "0"))
    if _version(version) < OLDEST:
        yield Risk("version", f"Redis {version} is too old", "6.2 or newer is needed", is_present=True)
    yield from find_unusable(info)
    if info.get("role") == "slave":
        problem = "this Redis is a replica, which keeps nothing of its own"
        yield Risk("replica", problem, "name its primary in REDIS_URL", is_present=True)
    if str(info.get("aof_enabled")) != "1":
        problem = "appendonly is off, so a crash of Redis loses what it acknowledged"
        yield Risk("persistence", problem, "set appendonly yes", is_present=True)
    if info.get("aof_last_write_status", "ok") != "ok":
        problem = "Redis could not write its append-only file"
        yield Risk("persistence", problem, "look after its disk, it refuses writes meanwhile", is_present=True)
    policy = info.get("maxmemory_policy")
    if policy is None:
        yield Risk("eviction", "Redis doesn't tell its maxmemory-policy", "make sure of noeviction")
    elif policy != "noeviction" and _number(info, "maxmemory"):
        problem = f"maxmemory-policy is {policy}, so Redis throws surveys away when it is full"
        yield Risk("eviction", problem, "set it to noeviction", is_present=True)


def _headroom(info: Mapping[str, Any]) -> Iterator[Risk]:
    limit, used, total = (_number(info, name) for name in ("maxmemory", "used_memory", "total_system_memory"))
    if limit and used > limit * (1 - _MIN_HEADROOM):
        remedy = "give it more, it refuses writes when it is full"
        yield Risk("memory", f"Redis uses {used * 100 // limit} % of its maxmemory", remedy)
    elif not limit and total and used > total * (1 - _MIN_HEADROOM):
        remedy = "give it more, the system kills it otherwise"
        yield Risk("memory", f"Redis uses {used * 100 // total} % of its machine's memory", remedy)


def _connections(info: Mapping[str, Any], needed: int) -> Iterator[Risk]:
    limit, open_now = _number(info, "maxclients"), _number(info, "connected_clients")
    if limit and limit < needed:
        problem = f"Redis takes {limit} connections, and Afterword may need {needed}, twice that during a deploy"
        yield Risk("connections", problem, "raise maxclients, or take a larger plan")
    elif limit and open_now > limit * (1 - _MIN_HEADROOM):
        problem = f"{open_now} of the {limit} connections that Redis takes are taken"
        yield Risk("connections", problem, "raise maxclients, take a larger plan, or see who has them (CLIENT LIST)")


def _number(info: Mapping[str, Any], name: str) -> int:
    return int(info.get(name, 0))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
