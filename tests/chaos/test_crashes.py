"""The short forms of rows 1, 2, 5, 6, 7 and 10. Rows that mostly wait run in parallel."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.crashes import ROWS

SEED = 1


@pytest.mark.parametrize("numbers", [(1,), (2,), (5, 6, 7, 10)], ids=lambda numbers: "-".join(map(str, numbers)))
@pytest.mark.timeout(900)
def test_only_the_control_loses_or_doubles_anything(numbers: tuple[int, ...]) -> None:
    with ThreadPoolExecutor(len(numbers)) as beside:
        rows = [*beside.map(lambda number: ROWS[number](SEED, "short"), numbers)]
    assert [row for row in rows if not row.passed] == []
