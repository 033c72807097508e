"""`python -m tests.chaos`: run the rows of the table of faults, and print each at its end."""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Literal

import structlog

from tests.chaos.rows import Row

Run = Callable[[int, Literal["short", "long"]], Row]
MODULES = ("outages", "crashes", "races", "backlog", "downtime", "failovers", "partitions", "lost_hosts")
HEAD = "| # | fault | seed | commit | shown | control | |\n|---|---|---|---|---|---|---|\n"


def main() -> int:
    """Return 1 if a row fails or is missing."""
    asked = _read_arguments()
    # Rows run parts of the workers in this process: their log would stand between the lines of the table.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    rows, is_whole = _collect_rows()
    numbers = asked.rows or sorted(rows)
    passed = [is_whole or bool(asked.rows), set(numbers) <= set(rows)]
    sys.stdout.write(HEAD)
    for number in (each for each in numbers if each in rows):
        for seed in asked.seeds:
            row = rows[number](seed, "short" if asked.short else "long")
            passed.append(row.passed)
            sys.stdout.write(dump_row(row))
            sys.stdout.flush()
    return 0 if numbers and all(passed) else 1


def _collect_rows() -> tuple[dict[int, Run], bool]:
    """Return the importable rows, and whether all could be imported."""
    rows: dict[int, Run] = {}
    is_whole = True
    for name in MODULES:
        try:
            rows |= import_module(f"tests.chaos.{name}").ROWS
        except ImportError as error:
            is_whole = False
            sys.stderr.write(f"tests.chaos.{name} is left out: {error}\n")
    return rows, is_whole


def dump_row(row: Row) -> str:
    """Write a row as a line of a Markdown table."""
    verdict = "passed" if row.passed else "**FAILED**"
    cells = (row.number, row.fault, row.seed, f"`{row.commit}`", row.shown, row.control, verdict)
    return f"| {' | '.join(map(str, cells))} |\n"


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rows", type=_numbers, help="such as 3,4; all by default")
    parser.add_argument("--seeds", type=_numbers, default=[1, 2, 3], help="such as 1,2,3")
    parser.add_argument("--short", action="store_true", help="the versions that `make test` runs")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
