"""Runs slow functions beside the event loop: a query or a password's hash would keep all other requests waiting.

gevent switches between requests only where one waits for the network. C code, such as SQLite or scrypt, never does.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent  # type: ignore[import-untyped]

T = TypeVar("T")


def run_in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of gevent's pool, and return what it returns or raise what it raises.

    The function must not use `request`, `g`, or a Redis client.
    """
    result: T = gevent.get_hub().threadpool.apply(function, args)
    return result
