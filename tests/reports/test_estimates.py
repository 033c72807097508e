from math import isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reports.estimates import (
    MIN_TO_COMPARE,
    MIN_TO_SHOW,
    Difference,
    Estimate,
    compare,
    estimate_nps,
    estimate_share,
)

_SIZES = st.integers(1, 100_000)


@st.composite
def _shares(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(_SIZES)
    return draw(st.integers(0, size)), size


@st.composite
def _nps(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(_SIZES)
    promoters = draw(st.integers(0, size))
    return promoters, draw(st.integers(0, size - promoters)), size


def _share(part: int, size: int) -> Estimate:
    found = estimate_share(part, size)
    assert found
    return found


def _of_nps(promoters: int, detractors: int, size: int) -> Estimate:
    found = estimate_nps(promoters, detractors, size)
    assert found
    return found


# Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3 (Wilson's without correction).
@pytest.mark.parametrize(
    ("part", "size", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_share_has_the_published_interval(part: int, size: int, low: float, high: float) -> None:
    share = _share(part, size)
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


# Newcombe, Statistics in Medicine 17 (1998), 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_difference_has_the_published_interval(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = Difference.between(_share(*one), _share(*other))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_nps_is_promoters_minus_detractors() -> None:
    nps = _of_nps(70, 15, 100)
    assert isclose(nps.value, 0.55)
    # By hand: 70.75/103 - 15.75/103 = 0.53398, and 1.96 * sqrt((86.5/103 - 0.53398^2) / 103) = 0.14382.
    assert (round(nps.low, 4), round(nps.high, 4)) == (0.3902, 0.6778)


def test_nothing_has_no_estimate() -> None:
    assert estimate_share(0, 0) is None
    assert estimate_nps(0, 0, 0) is None
    assert compare(None, _share(50, 100)) is None
    assert compare(_share(50, 100), None) is None


@given(_shares())
def test_interval_of_a_share_holds_it_and_stays_a_share(share: tuple[int, int]) -> None:
    found = _share(*share)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@given(_shares())
def test_interval_of_the_opposite_is_the_mirror_image(share: tuple[int, int]) -> None:
    part, size = share
    found, opposite = _share(part, size), _share(size - part, size)
    assert isclose(found.low, 1 - opposite.high, abs_tol=1e-12)
    assert isclose(found.high, 1 - opposite.low, abs_tol=1e-12)


@given(_shares())
def test_more_answers_narrow_the_interval(share: tuple[int, int]) -> None:
    part, size = share
    few, many = _share(part, size), _share(4 * part, 4 * size)
    assert many.high - many.low < few.high - few.low


@given(_nps())
def test_interval_of_the_nps_holds_it_and_has_a_mirror_image(nps: tuple[int, int, int]) -> None:
    promoters, detractors, size = nps
    found, opposite = _of_nps(promoters, detractors, size), _of_nps(detractors, promoters, size)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert isclose(found.low, -opposite.high, abs_tol=1e-12)


@given(_shares(), _shares())
def test_difference_turned_round_is_its_mirror_image(one: tuple[int, int], other: tuple[int, int]) -> None:
    there, back = Difference.between(_share(*one), _share(*other)), Difference.between(_share(*other), _share(*one))
    assert there.low <= there.value <= there.high
    assert isclose(there.low, -back.high, abs_tol=1e-12)
    assert there.differs == back.differs
    assert there.low >= -1 - 1e-9
    assert there.high <= 1 + 1e-9


@given(_shares())
def test_nothing_differs_from_itself(share: tuple[int, int]) -> None:
    assert not Difference.between(_share(*share), _share(*share)).differs


@given(st.integers(1, MIN_TO_COMPARE - 1), st.integers(1, 1_000))
def test_few_answers_are_never_compared(few: int, many: int) -> None:
    assert compare(_share(few, few), _share(0, many)) is None
    assert compare(_share(0, many), _share(few, few)) is None


def test_limits_of_showing_and_comparing() -> None:
    assert not _share(5, MIN_TO_SHOW - 1).is_shown
    assert _share(5, MIN_TO_SHOW).is_shown
    found = compare(_share(0, MIN_TO_COMPARE), _share(MIN_TO_COMPARE, MIN_TO_COMPARE))
    assert found
    assert found.differs


@pytest.mark.parametrize(("up", "down"), [(0.5, 0.2), (0.1, 0.1), (0.8, 0.1), (0.05, 0.9)])
def test_intervals_of_the_nps_cover_the_truth_in_about_95_of_100_samples(up: float, down: float) -> None:
    random, size, samples, covered = Random(7), 60, 1_000, 0
    for _ in range(samples):
        drawn = [random.random() for _ in range(size)]
        promoters, detractors = sum(each < up for each in drawn), sum(each >= 1 - down for each in drawn)
        found = _of_nps(promoters, detractors, size)
        covered += found.low <= up - down <= found.high
    assert 0.93 <= covered / samples <= 0.985
