"""The contents of a Redis, for comparisons. `DUMP` is unsuitable: an encoding changes while a hash is rehashed."""

from collections.abc import Callable
from typing import Any

import redis

_READ: dict[str, Callable[[Any, Any], Any]] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: client.hgetall(key),
    "set": lambda client, key: client.smembers(key),
    "zset": lambda client, key: dict(client.zrange(key, 0, -1, withscores=True)),
    "list": lambda client, key: client.lrange(key, 0, -1),
    "none": lambda *_: None,
}


def contents(client: redis.Redis, *, but: str | tuple[str, ...]) -> dict[Any, Any]:
    """Read all keys and values of a database. Skips keys with a prefix of `but`, and keys about to expire."""
    found = {key: _READ[_text(client.type(key))](client, key) for key in client.scan_iter()}
    return {key: value for key, value in found.items() if value is not None and not _text(key).startswith(but)}


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
