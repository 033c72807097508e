"""What blocks runs in a thread, and other requests go on meanwhile."""

import threading

import gevent  # type: ignore[import-untyped]
import pytest

from service.web.thread_pool import run_in_thread


def test_a_blocking_function_lets_other_greenlets_run() -> None:
    go = threading.Event()
    waiting = gevent.spawn(run_in_thread, go.wait, 60)
    gevent.spawn(go.set)
    assert waiting.get() is True


def test_its_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run_in_thread(lambda: 1 // 0)
