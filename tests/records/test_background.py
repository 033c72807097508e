"""A lasting problem is logged at its start, once a minute, and at its end."""

from datetime import timedelta
from threading import Event
from threading import enumerate as all_threads

import pytest
from structlog.testing import capture_logs

from service.records import background
from service.records.background import BackgroundLoop, LogEvents

EVENTS = LogEvents("lost", "back", "broken")


def test_a_problem_is_logged_each_minute_and_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[int, str, str]] = []
    loop = BackgroundLoop(lambda: None, timedelta(), EVENTS, describe=str)
    for second in (*range(1, 130), *range(131, 200)):
        monkeypatch.setattr(background, "monotonic", lambda second=second: float(second))
        problem = "" if second in range(150, 160) or second < 10 else "again" if second >= 180 else "away"
        with capture_logs() as logs:
            for _ in range(4):
                loop.report(problem)
        logged += [(second, each["event"], each.get("problem", "")) for each in logs]
    assert logged == [
        (10, "lost", "away"),
        (70, "lost", "away"),
        (131, "lost", "away"),
        (150, "back", ""),
        (160, "lost", "away"),
        (180, "lost", "again"),
    ]


def run(*failures: Exception | None) -> list[tuple[str, str]]:
    """Return the logged events and problems of a loop with these failures."""
    left = list(failures)

    def step() -> None:
        failure = left.pop(0)
        if not left:
            loop.stop()
        if failure:
            raise failure

    loop = BackgroundLoop(
        step,
        timedelta(),
        EVENTS,
        describe=lambda error: str(error) if isinstance(error, OSError) else "",
    )
    with capture_logs() as logs:
        loop.run()
    return [(each["event"], each.get("problem", "")) for each in logs]


def test_a_failing_step_is_logged_at_its_start_and_end() -> None:
    assert run(None, OSError("away"), OSError("away"), None, None) == [("lost", "away"), ("back", "")]


def test_an_unexpected_error_is_logged_once_without_its_text() -> None:
    error = ValueError("the words of a customer")
    assert run(error, error, None) == [("broken", "ValueError"), ("lost", "ValueError"), ("back", "")]


def test_a_loop_ends_with_its_process_or_on_stop() -> None:
    stepped = Event()
    loop = BackgroundLoop(stepped.set, timedelta(milliseconds=1), EVENTS, describe=str)
    loop.start("loop of a test")
    (thread,) = [each for each in all_threads() if each.name == "loop of a test"]
    assert thread.daemon
    assert stepped.wait(60)
    loop.stop()
    thread.join(60)
    assert not thread.is_alive()
