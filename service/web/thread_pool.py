"""Runs what would block every request of this process, such as a query to a database or a look at a disk, in a thread.

gevent's greenlets share one thread: only waits for the network let others go on.
"""

from collections.abc import Callable
from typing import TypeVar

import gevent  # type: ignore[import-untyped]

Result = TypeVar("Result")


def run_in_thread(act: Callable[..., Result], *args: object) -> Result:
    """Run a function in the hub's thread pool, and return what it returns or raise what it raises."""
    result: Result = gevent.get_hub().threadpool.apply(act, args)
    return result
