"""How long the reports of the operator's window take, with all surveys of a SQLite archive in their period.

A time is of the whole view: login, queries and page. Filling the archive is not timed.
"""

from collections.abc import Iterator, Mapping
from time import perf_counter

from flask.testing import FlaskClient

from tests.bench.bench import Bench
from tests.bench.report import Figure
from tests.web.operator.filled_window import make_filled_window
from tests.web.operator.window_client import look

_FEW = 1_000
_GOALS = {100_000: "≤ 150 ms", 1_000_000: "≤ 800 ms"}
_VIEWS = {
    "Funnel": "/operator/funnel?period=91d",
    "Funnel, unfolded": "/operator/funnel?period=91d&unfold=mismatches",
    "Results by queue": "/operator/results?period=91d",
    "Results by queue and agent": "/operator/results?period=91d&by=queue&then=agent",
    "Results of one agent": "/operator/results?period=91d&by=channel&agent=a0000011-550c-4942-98b9-e60cf736acd9",
    "Answers, low with a comment": "/operator/answers?period=91d&mood=low&comment=yes",
}


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the time of each view with many surveys against the time with few."""
    few = _time_views(bench, _FEW)
    for size, goal in _GOALS.items():
        if size == max(_GOALS) and not bench.has_million:
            return
        for name, values in _time_views(bench, size).items():
            yield Figure(f"{name}, {size:,} surveys", values, "ms", f"{_FEW:,} surveys", few[name], goal)


def _time_views(bench: Bench, size: int) -> Mapping[str, list[float]]:
    window = make_filled_window(bench.redis.new_database(), bench.new_folder(), size)
    for view in _VIEWS.values():
        assert look(window, view).status_code == 200
    return bench.interleave({name: lambda view=view: _time(window, view) for name, view in _VIEWS.items()})  # type: ignore[misc]


def _time(window: FlaskClient, view: str) -> float:
    began = perf_counter()
    look(window, view)
    return 1000 * (perf_counter() - began)
