"""A lasting problem is logged when it begins, once a minute, and when it is over."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from service.records import background
from service.records.background import BackgroundLoop, LogEvents


def test_a_problem_is_logged_again_each_minute_and_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[int, str, str]] = []
    loop = BackgroundLoop(lambda: None, timedelta(), LogEvents("lost", "back", "broken"), describe=str)
    for second in range(1, 200):
        monkeypatch.setattr(background, "monotonic", lambda second=second: float(second))
        problem = "" if second in range(150, 160) or second < 10 else "odd" if second >= 180 else "away"
        with capture_logs() as logs:
            for _ in range(4):
                loop.report(problem)
        logged += [(second, each["event"], each.get("problem", "")) for each in logs]
    assert logged == [
        (10, "lost", "away"),
        (70, "lost", "away"),
        (130, "lost", "away"),
        (150, "back", ""),
        (160, "lost", "away"),
        (180, "lost", "odd"),
    ]
