"""A trouble that lasts is told at once, once a minute, and when it is over."""

import pytest
from structlog.testing import capture_logs

from service.records import complaint
from service.records.complaint import Complaint


def test_it_is_told_again_each_minute_and_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, str, str]] = []
    trouble = Complaint("lost", "back")
    for second in range(1, 200):
        monkeypatch.setattr(complaint, "monotonic", lambda second=second: float(second))
        problem = "" if second in range(150, 160) or second < 10 else "odd" if second >= 180 else "away"
        with capture_logs() as logs:
            for _ in range(4):
                trouble.tell(problem)
        told += [(second, each["event"], each.get("problem", "")) for each in logs]
    assert told == [
        (10, "lost", "away"),
        (70, "lost", "away"),
        (130, "lost", "away"),
        (150, "back", ""),
        (160, "lost", "away"),
        (180, "lost", "odd"),
    ]
