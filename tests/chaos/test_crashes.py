"""The short forms of rows 1, 2, 5, 6, 7 and 10. Each control must fail."""

import pytest

from tests.chaos.crashes import ROWS


@pytest.mark.parametrize("number", ROWS)
@pytest.mark.timeout(900)
def test_row(number: int) -> None:
    row = ROWS[number](1, "short")
    assert row.passed, row
