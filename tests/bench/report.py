"""The table of figures, and the same as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: Afterword's values, one a round, and those of what it is compared with."""

    name: str
    values: Sequence[float]
    unit: str = ""
    other: str = ""
    other_values: Sequence[float] = ()
    goal: str = ""

    @property
    def ratios(self) -> Sequence[float]:
        """Return Afterword's value as a multiple of the other's, for each round."""
        pairs = zip(self.values, self.other_values, strict=False)
        return [ours / theirs for ours, theirs in pairs if theirs]


_HEADS = ("figure", "Afterword", "other", "ratio", "goal")


def write_table(figures: Iterable[Figure]) -> str:
    """Return a table in Markdown, with medians and, in brackets, the least and the greatest value."""
    rows = [_HEADS, *map(_row, figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]) + "\n"


def _row(figure: Figure) -> tuple[str, ...]:
    ours = write_values(figure.values, figure.unit)
    theirs = (
        f"{write_values(figure.other_values, figure.unit)} ({figure.other})" if figure.other_values else figure.other
    )
    return figure.name, ours, theirs, write_values(figure.ratios, "×"), figure.goal


def write_values(values: Sequence[float], unit: str = "") -> str:
    """Return the median and the range of values."""
    if not values:
        return ""
    middle, least, most = write_number(median(values)), write_number(min(values)), write_number(max(values))
    spread = f" [{least}–{most}]" if least != most else ""
    return f"{middle}{f' {unit}' if unit else ''}{spread}"


def write_number(value: float) -> str:
    """Return a number with three digits or, if it is larger, without a fraction."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def write_json(figures: Iterable[Figure], about: Mapping[str, Any]) -> str:
    """Return the figures with all values of all rounds, and where they were measured."""
    found = [
        {
            "figure": figure.name,
            "unit": figure.unit,
            "afterword": [*figure.values],
            "other": figure.other,
            "other_values": [*figure.other_values],
            "ratio": median(figure.ratios) if figure.ratios else None,
            "goal": figure.goal,
        }
        for figure in figures
    ]
    return json.dumps({"about": dict(about), "figures": found}, indent=1, ensure_ascii=False) + "\n"
