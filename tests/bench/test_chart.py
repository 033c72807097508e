from xml.etree import ElementTree as ET

from tests.bench.chart import Group, write_chart
from tests.bench.report import Figure

SVG = "{http://www.w3.org/2000/svg}"


def test_group_has_afterword_first_and_then_each_other_server() -> None:
    figures = [Figure("rate", [10, 30, 20], "/s", name, [5, 10, 20]) for name in ("threads", "gevent")]
    assert Group.of("Rate", figures).bars == [("Afterword", 20), ("threads", 10), ("gevent", 10)]


def test_chart_has_a_bar_in_proportion_to_each_value() -> None:
    groups = [Group("Rate", [("Afterword", 2000), ("R&D", 500)]), Group("Lost", [("Afterword", 0), ("naive", 0)])]
    text = write_chart("Speed", groups)
    root = ET.fromstring(text)  # noqa: S314 - our own
    widths = [int(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect")]
    assert abs(widths[0] - 4 * widths[1]) <= 4
    assert widths[2:] == [0, 0]
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert words == ["Rate", "Afterword", "2,000", "R&D", "500", "Lost", "Afterword", "0", "naive", "0"]
    assert len(text) < 4000
    assert "prefers-color-scheme" in text
