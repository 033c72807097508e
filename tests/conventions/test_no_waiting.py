"""No Celery message has a delay: a wait is a score in a due set. Ruff can't ban a keyword argument."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BANNED = {"countdown", "eta"}


def test_no_celery_message_has_a_delay() -> None:
    sources = [path for folder in ("config", "service", "workers") for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 10
    assert [f"{path}:{line}" for path in sources for line in delays(path.read_text(encoding="utf-8"))] == []


def test_check_finds_a_delay() -> None:
    assert list(delays("task.apply_async((1,), countdown=3)\ntask.apply_async(eta=4)\ntask.retry()")) == [1, 2, 3]


def delays(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        # Celery's retry has keyword arguments only; Records.retry has not.
        is_retry = isinstance(node.func, ast.Attribute) and node.func.attr == "retry" and not node.args
        if is_retry or any(keyword.arg in BANNED for keyword in node.keywords):
            yield node.lineno
