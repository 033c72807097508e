"""A sandbox Dixa for a module of tests, or for a row or conversation of the chaos table."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.processes import API_TOKEN

# Werkzeug compiles its routes. Compiling in two threads at once can fail in CPython 3.11 (SystemError: AST constructor
# recursion depth mismatch).
_building = Lock()


@contextmanager
def sandbox(**settings: Any) -> Iterator[Sandbox]:
    """Open a sandbox with the tests' token, without a rate limit by default."""
    with _building:
        made = Sandbox(SandboxSettings(**{"tokens": (API_TOKEN,), "rate": None} | settings))
    made.start()
    try:
        yield made
    finally:
        made.stop()
