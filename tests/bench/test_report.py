import json

import pytest

from tests.bench.report import Figure, write_json, write_number, write_table, write_values


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.01"), (1.5, "1.50"), (12.34, "12.3"), (123.4, "123"), (1234567, "1,234,567"), (3, "3"), (0, "0")],
)
def test_number_has_three_digits_or_no_fraction(value: float, text: str) -> None:
    assert write_number(value) == text


def test_values_show_the_median_and_the_range() -> None:
    assert write_values([3, 1, 2], "ms") == "2 ms [1–3]"
    assert write_values([2.0, 2.0]) == "2"
    assert write_values([]) == ""


def test_ratios_compare_the_values_of_the_same_round() -> None:
    figure = Figure("rate", [10, 30, 20], "/s", "naive", [5, 10, 20])
    assert list(figure.ratios) == [2, 3, 1]


def test_table_has_a_row_of_equal_width_for_each_figure() -> None:
    compared = Figure("rate", [10, 30, 20], "/s", "naive", [5, 10, 20], "≥ 2.0 ×")
    lines = write_table([compared, Figure("memory", [125.0], "MB")]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == ["rate", "20 /s [10–30]", "10 /s [5–20] (naive)", "2 × [1–3]", "≥ 2.0 ×"]
    assert [cell.strip() for cell in lines[3].strip("|").split("|")] == ["memory", "125 MB", "", "", ""]


def test_json_has_every_value_of_every_round() -> None:
    text = write_json([Figure("rate", [10, 30], "/s", "naive", [5, 10])], {"cores": 2})
    assert json.loads(text) == {
        "about": {"cores": 2},
        "figures": [
            {
                "figure": "rate",
                "unit": "/s",
                "afterword": [10, 30],
                "other": "naive",
                "other_values": [5, 10],
                "ratio": 2.5,
                "goal": "",
            }
        ],
    }
