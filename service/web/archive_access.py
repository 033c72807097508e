"""Reads the archive for views, beside the event loop. It is imported only with pages that need the archive."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from service.archive.engine import open_engine
from service.web.thread_pool import run_in_thread

Result = TypeVar("Result")

# An engine keeps the statements that it has compiled.
_engine_of = lru_cache(4)(open_engine)


def read_archive(url: str, read: Callable[..., Result], *args: Any) -> Result:
    """Call a function with the engine of the archive and these arguments, in a thread. Raises what it raises."""
    return run_in_thread(read, _engine_of(url), *args)
