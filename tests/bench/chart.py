"""A small bar chart for docs/benchmarks.md, as an SVG that follows the reader's light or dark colours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from tests.bench.report import Figure, write_number

_WIDTH, _LABELS, _NUMBERS = 720, 190, 80
_LINE, _BAR = 26, 16
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2933}.head{font-weight:600}rect{fill:#9aa5b1}.own{fill:#0b5d56}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}rect{fill:#616e7c}.own{fill:#6fd6c6}}"
)


@dataclass(frozen=True, slots=True)
class Group:
    """Bars of one unit under a heading, Afterword's first."""

    heading: str
    bars: Sequence[tuple[str, float]]

    @classmethod
    def of(cls, heading: str, figures: Iterable[Figure]) -> "Group":
        """Make a group of figures with the same values of Afterword."""
        found = list(figures)
        others = [(each.other, median(each.other_values)) for each in found]
        return cls(heading, [("Afterword", median(found[0].values)), *others])


def write_chart(title: str, groups: Sequence[Group]) -> str:
    """Return the chart as SVG."""
    parts, top = [], 0
    for group in groups:
        parts.append(f'<text class="head" x="0" y="{top + 18}">{escape(group.heading)}</text>')
        most = max(value for _, value in group.bars) or 1
        for place, (label, value) in enumerate(group.bars):
            top += _LINE
            parts += _write_bar(label, value, value / most, top, is_own=not place)
        top += _LINE + _LINE // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _write_bar(label: str, value: float, share: float, top: int, *, is_own: bool) -> Sequence[str]:
    width = round(share * (_WIDTH - _LABELS - _NUMBERS))
    own = ' class="own"' if is_own else ""
    return (
        f'<text x="0" y="{top + 18}">{escape(label)}</text>',
        f'<rect{own} x="{_LABELS}" y="{top + 5}" width="{width}" height="{_BAR}" rx="2"/>',
        f'<text x="{_LABELS + width + 8}" y="{top + 18}">{write_number(value)}</text>',
    )
