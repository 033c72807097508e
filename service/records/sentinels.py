"""Finds the primary with Redis Sentinel, for both of our Redis clients, redis-py and kombu."""

from collections.abc import Iterator
from copy import copy
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.sentinel import Sentinel

from config.redis_urls import Sentinels, find_sentinels
from service.records.redis_pool import Pool

_SECONDS = 0.3
"""The timeout of a connection to a sentinel, and of its response. If all are frozen, a command waits for each."""
_CONNECTIONS = 2


class SentinelPrimary:
    """The primary that the sentinels name. Safe for threads."""

    def __init__(self, found: Sentinels) -> None:
        self._name = found.primary
        self._manager = Sentinel([])  # type: ignore[no-untyped-call]
        # By default redis-py would try each sentinel several times, with pauses of seconds.
        self._manager.sentinels = [client for _, client in open_sentinels(found)]
        self._known: tuple[str, int] | None = None
        self.moves = 0

    def find(self) -> tuple[str, int]:
        """Return the host and the port. Raises redis-py's ConnectionError if no sentinel knows a working primary."""
        # redis-py moves the sentinel that responds to the front of its list. Threads must not do that in the same list.
        manager = copy(self._manager)
        manager.sentinels = [*manager.sentinels]
        address: tuple[str, int] = manager.discover_master(self._name)  # type: ignore[no-untyped-call]
        self._manager = manager
        if self._known not in (None, address):
            self.moves += 1
        self._known = address
        return address


def open_pool(url: str, **options: Any) -> Pool:
    """Open a pool of connections to the primary of REDIS_URL. Connects at the first command."""
    sentinels = find_sentinels(url)
    if sentinels is None:
        return Pool.from_url(url, **options)
    return Pool.from_url(sentinels.primary_url, primary=SentinelPrimary(sentinels), **options)


def open_sentinels(found: Sentinels) -> Iterator[tuple[str, redis.Redis]]:
    """Yield the address of each sentinel and a client for it. Connects at the first command."""
    seconds = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
    for url in found.urls:
        pool = Pool.from_url(url, max_connections=_CONNECTIONS, timeout=_SECONDS, **seconds)
        yield urlsplit(url).netloc.rpartition("@")[2], redis.Redis.from_pool(pool)
