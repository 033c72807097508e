"""Whether the user of REDIS_URL may do what web and worker do: each command is tried, on a key of our own.

`ACL DRYRUN` would need Redis 7, and a right that no such user has.
"""

from collections.abc import Iterator
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

# Our key holds a text, which most commands refuse after Redis has looked whether they are allowed: nothing is changed.
_TRIES = (
    "SET {key} 1 PX 10000",
    "GET {key}",
    "MGET {key}",
    "EXISTS {key}",
    "INCR {key}",
    "PTTL {key}",
    "PERSIST {key}",
    "HDEL {key} field",
    "HGET {key} field",
    "HGETALL {key}",
    "HINCRBY {key} field 1",
    "HKEYS {key}",
    "HMGET {key} field",
    "HSET {key} field value",
    "HSETNX {key} field value",
    "BRPOP {key} 0.01",
    "LLEN {key}",
    "LPUSH {key} value",
    "RPUSH {key} value",
    "SADD {key} value",
    "SCARD {key}",
    "SMEMBERS {key}",
    "ZADD {key} 1 value",
    "ZCARD {key}",
    "ZCOUNT {key} 0 1",
    "ZRANGE {key} 0 0",
    "ZRANGEBYSCORE {key} 0 1",
    "ZREM {key} value",
    "ZREMRANGEBYRANK {key} 0 1",
    "ZREMRANGEBYSCORE {key} 0 1",
    "ZSCORE {key} value",
    "TIME",
    "PING",
    "EVALSHA 0000000000000000000000000000000000000000 1 {key}",
    "SCRIPT LOAD -",
    "EXPIRE {key} 10",
    "PEXPIRE {key} 10000",
    "WATCH {key}",
    "MULTI",
    "EXEC",
    "UNWATCH",
    "DEL {key}",
)
COMMANDS = tuple(each.split()[0] for each in _TRIES)


def find_missing_rights(client: redis.Redis, prefix: str = "afterword:") -> Iterator[str]:
    """Name what the user of this client lacks, and the way out. Raises redis' errors when Redis can't be asked."""
    try:
        connection = client.connection_pool.get_connection()
    except NoPermissionError:
        yield "the user of REDIS_URL may not run SELECT, which a database other than 0 needs: allow it that, or use 0"
        return
    try:
        rejections = _try_all(connection, f"{prefix}check")
    finally:
        # Whatever state the tries have left it in.
        connection.disconnect()  # type: ignore[no-untyped-call]
        client.connection_pool.release(connection)
    if commands := [name for name, text in rejections if "access" not in text]:
        rights = " ".join(f"+{each.lower()}" for each in commands)
        yield f"the user of REDIS_URL may not run {', '.join(commands)}: allow it that (ACL SETUSER … {rights})"
    if len(commands) < len(rejections):
        yield f"the user of REDIS_URL may not use our keys: allow it those (ACL SETUSER … ~{prefix}*)"


def _try_all(connection: Any, key: str) -> list[tuple[str, str]]:
    """Try each command; return those that are refused to this user, and in which words."""
    rejections = []
    connection.send_packed_command(connection.pack_commands(each.format(key=key).split() for each in _TRIES))
    for name in COMMANDS:
        try:
            connection.read_response()
        except ResponseError as error:
            # Of EXEC it is the reason why that was aborted. Any other refusal is for what our key is, which is as well.
            if isinstance(error, NoPermissionError) or "NOPERM" in str(error):
                rejections.append((name, str(error)))
    return rejections
