"""Runs slow functions beside the event loop: a query or a password's hash would keep all other requests waiting.

gevent switches between requests only where one waits for the network. C code, such as SQLite or scrypt, never does.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gevent  # type: ignore[import-untyped]

Result = TypeVar("Result")


def run_in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Call a function in a thread of gevent's pool, and return what it returns or raise what it raises.

    The function must not use `request`, `g`, or a Redis client.
    """
    result, error = gevent.get_hub().threadpool.apply(_catch, (function, args))
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _catch(function: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, Exception | None]:
    """Return an error instead of raising it: gevent would print it, past our log and with its text."""
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001 - it is raised again, by the caller
        return None, error
