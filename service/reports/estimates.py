"""Estimates from answers, each with its 95 % interval, and what may be concluded from them.

- A share: Wilson's score interval. E. B. Wilson, JASA 22 (1927), 209-212.
- The NPS: the adjusted Wald interval. B. Rocks, The American Statistician 70 (2016), 365-372: of six intervals for the
  NPS one of the two best.
- A difference: square-and-add. R. G. Newcombe, Statistics in Medicine 17 (1998), 873-890, method 10, for shares;
  G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008), 1693-1702, for any two estimates, so for the NPS too.

docs/reports.md has the formulas.
"""

from dataclasses import dataclass
from math import hypot, sqrt
from typing import Self

MIN_TO_SHOW = 10
"""With fewer answers, a share isn't shown: its interval would cover half of all possible values."""

MIN_TO_COMPARE = 30
"""With fewer answers on either side, nothing is ranked and nothing is said to differ."""

_Z = 1.959963984540054
"""The quantile of the normal distribution for 95 %."""

_ADDED, _ADDED_TO_EACH = 3, 3 / 4
"""What Rocks adds to the answers, and to the promoters and to the detractors, before the plain Wald interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, from so many answers. A share is from 0 to 1, the NPS from -1 to 1."""

    value: float
    low: float
    high: float
    size: int

    @property
    def is_shown(self) -> bool:
        """Whether it has enough answers to be shown."""
        return self.size >= MIN_TO_SHOW

    @property
    def is_comparable(self) -> bool:
        """Whether it has enough answers to be ranked, or compared with another."""
        return self.size >= MIN_TO_COMPARE


@dataclass(frozen=True, slots=True)
class Difference:
    """An estimate minus another, with its interval."""

    value: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0

    @classmethod
    def between(cls, one: Estimate, other: Estimate) -> Self:
        """Return the difference of two estimates from different answers."""
        value = one.value - other.value
        return cls(
            value,
            value - hypot(one.value - one.low, other.high - other.value),
            value + hypot(one.high - one.value, other.value - other.low),
        )


def estimate_share(part: int, size: int) -> Estimate | None:
    """Return the share `part / size`, or None of nothing."""
    if not size:
        return None
    share, z2 = part / size, _Z * _Z
    middle = (part + z2 / 2) / (size + z2)
    reach = _Z * sqrt(share * (1 - share) * size + z2 / 4) / (size + z2)
    # At the ends the exact bound is the share itself. Rounding must not move it.
    low = 0.0 if part == 0 else max(0.0, middle - reach)
    high = 1.0 if part == size else min(1.0, middle + reach)
    return Estimate(share, low, high, size)


def estimate_nps(promoters: int, detractors: int, size: int) -> Estimate | None:
    """Return the NPS (promoters minus detractors, as a share of all answers), or None of nothing."""
    if not size:
        return None
    total = size + _ADDED
    up, down = (promoters + _ADDED_TO_EACH) / total, (detractors + _ADDED_TO_EACH) / total
    middle = up - down
    reach = _Z * sqrt((up + down - middle * middle) / total)
    value = (promoters - detractors) / size
    # Of a few unanimous answers the interval would lie beside the value. It is widened to hold it.
    return Estimate(value, min(value, max(-1.0, middle - reach)), max(value, min(1.0, middle + reach)), size)


def compare(one: Estimate | None, other: Estimate | None) -> Difference | None:
    """Return the difference of two estimates, or None if either has too few answers."""
    if one is None or other is None or not (one.is_comparable and other.is_comparable):
        return None
    return Difference.between(one, other)
