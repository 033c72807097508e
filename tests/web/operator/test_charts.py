"""Charts are drawn to scale, and the same numbers stand beside them as text."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, render_template_string
from hypothesis import given
from hypothesis import strategies as st

from service.web.app import create_app
from service.web.operator import charts
from tests.processes import settings_for
from tests.web.operator.window_client import LOGINS

WEEKS = [("2 Nov", 80, 70.5), ("9 Nov", None, 72), ("16 Nov", 84, None), ("23 Nov", 90, 75)]


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    app = create_app(settings_for("redis://127.0.0.1:1/0", OPERATOR_LOGINS=LOGINS))
    with app.test_request_context():
        yield app


def draw(call: str, **facts: Any) -> str:
    macros = "{% import 'operator/charts.html' as chart with context %}"
    return render_template_string(f"{macros}{{{{ chart.{call} }}}}", charts=charts, **facts)


def test_a_line_spans_its_values_and_leaves_gaps() -> None:
    found = charts.plot([80, None, 84, 90], [70.5, 72, None, 75])
    assert [point.place for point in found.now.points] == [0, 2, 3]
    assert [(one.place, other.place) for one, other in found.now.strokes] == [(2, 3)]
    heights = [point.y for point in found.now.points]
    assert heights == sorted(heights, reverse=True), "higher values are higher up"
    assert [value for _, value in found.ticks] == [70, 80, 90]


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=60), st.lists(st.none() | st.floats(0, 1e6), max_size=60))
def test_every_point_is_inside_of_the_chart(now: list[float | None], before: list[float | None]) -> None:
    found = charts.plot(now, before)
    for point in (*found.now.points, *found.before.points):
        assert 0 <= point.x <= 100
        assert 0 < point.y < charts.HEIGHT
    assert 2 <= len(found.ticks) <= 6


def test_a_chart_has_its_numbers_as_a_table(app: Flask) -> None:
    html = draw("line('CSAT', weeks, unit=' %')", weeks=WEEKS)
    assert 'role="img" aria-label="CSAT, as a line. The table below has the numbers."' in html
    cells = re.findall(r'<th scope="row">(.+?)</th><td class="number">(.+?)</td><td class="number">(.+?)</td>', html)
    assert cells == [
        ("2 Nov", "80 %", "70.5 %"),
        ("9 Nov", "–", "72 %"),
        ("16 Nov", "84 %", "–"),
        ("23 Nov", "90 %", "75 %"),
    ]


def test_bars_are_to_scale_and_have_their_counts(app: Flask) -> None:
    html = draw("bars('Answers', rows)", rows=[("5", 60), ("4", 30), ("3", 0)])
    assert re.findall(r'<rect width="(.+?)%"', html) == ["100.0", "50.0", "0.0"]
    assert re.findall(r'<td class="number">(.+?)</td>', html) == ["60", "67 %", "30", "33 %", "0", "0 %"]
    assert draw("bars('Answers', [])").count("<tr>") == 1


def test_a_share_has_its_interval(app: Flask) -> None:
    html = draw("share('CSAT', 0.81, 0.77, 0.84, about='812 answers')")
    assert "81 %" in html
    assert "77–84 %" in html
    assert "812 answers" in html
    missing = draw("share('CSAT', none, none, none, missing='7 of 10 answers')")
    assert "7 of 10 answers" in missing
    assert "svg" not in missing


def test_charts_have_neither_scripts_nor_inline_styles(app: Flask) -> None:
    """The policy of the page would block them."""
    calls = ("line('x', weeks)", "bars('x', [('1', 1)])", "share('x', 0.5, 0.4, 0.6)")
    html = draw(" }}{{ chart.".join(calls), weeks=WEEKS)
    assert "style=" not in html
    assert "<script" not in html


def test_labels_are_escaped(app: Flask) -> None:
    html = draw("line(title, [(label, 1, 2)]) }}{{ chart.bars(title, [(label, 1)])", title="<b>", label="<i>")
    assert "<b>" not in html
    assert "<i>" not in html
