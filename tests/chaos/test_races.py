"""The short versions of rows 8, 9, 12 and 13, each with the control that must fail."""

import sys

import pytest

from tests.chaos.races import ROWS


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", ROWS)
def test_a_row_holds_and_its_control_does_not(number: int) -> None:
    row = ROWS[number](1, "short")
    sys.stdout.write(f"\n{row}\n")
    assert row.passed, row
