"""The short form of row 18. Its control must fail."""

import sys

import pytest

from tests.chaos.__main__ import dump_row
from tests.chaos.lost_hosts import ROWS


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", ROWS)
def test_row(number: int) -> None:
    row = ROWS[number](1, "short")
    sys.stdout.write(f"\n{dump_row(row)}")
    assert row.passed, dump_row(row)
