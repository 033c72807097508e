"""Afterword's speed beside the naive build and the bare server, as one table: `make bench`.

    python -m tests.bench                       all figures, within a quarter of an hour
    python -m tests.bench --only webhooks pages some
    python -m tests.bench --rounds 5            more repetitions
    python -m tests.bench --million             the records and the archive up to a million as well

It listens on this machine only. build/bench.json has every value of every round; all
figures together also make the chart, docs/pictures/bench.svg.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import redis

from config.logging import set_up_logging
from tests.bench.bench import Bench, open_bench
from tests.bench.chart import Group, write_chart
from tests.bench.figures import archive, balance, idle, latency, losses, pages, records, slow_clients, surveys, webhooks
from tests.bench.report import Figure, write_json, write_table
from tests.bench.servers import BareWebhooks
from tests.processes import ROOT

FIGURES: Mapping[str, Callable[[Bench], Iterator[Figure]]] = {
    "webhooks": webhooks.measure,
    "balance": balance.measure,
    "pages": pages.measure,
    "surveys": surveys.measure,
    "latency": latency.measure,
    "idle": idle.measure,
    "records": records.measure,
    "archive": archive.measure,
    "slow_clients": slow_clients.measure,
    "losses": losses.measure,
}
RESULTS = ROOT / "build" / "bench.json"
CHART = ROOT / "docs" / "pictures" / "bench.svg"


def main() -> None:
    """Measure, print the table, and write the results."""
    given = _read_arguments()
    set_up_logging("console", "ERROR")
    figures: list[Figure] = []
    with open_bench(given.rounds, surveys_due=given.surveys, has_million=given.million) as bench:
        about = _describe(bench)
        sys.stdout.write("; ".join(f"{name}: {value}" for name, value in about.items()) + "\n\n")
        for name in given.only or FIGURES:
            began = monotonic()
            figures += FIGURES[name](bench)
            sys.stderr.write(f"{name}: measured in {monotonic() - began:.0f} s\n")
    sys.stdout.write(write_table(figures))
    _write(RESULTS, write_json(figures, about))
    if not given.only:
        _write(CHART, _chart(figures))


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Afterword's speed.")
    parser.add_argument("--only", nargs="+", choices=FIGURES, metavar="NAME", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--surveys", type=int, default=60, help="how many surveys the worker sends at Dixa's pace")
    parser.add_argument(
        "--million", action="store_true", help="fill Redis and an archive with a million records (eleven minutes more)"
    )
    return parser.parse_args()


def _describe(bench: Bench) -> Mapping[str, Any]:
    with redis.Redis.from_url(bench.redis.url) as client:
        version = client.info("server")["redis_version"]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "Redis": f"{version}, appendfsync always",
        "rounds": bench.rounds,
    }


def _chart(figures: Sequence[Figure]) -> str:
    headings = {
        webhooks.ACCEPTED: "Webhooks accepted a second",
        losses.BURST: "Surveys lost of 300, closed at once, at 10 calls a second",
        losses.OUTAGE: "Surveys lost of 300, with ten seconds of outage of the API",
    }
    groups = [
        Group.of(heading, (each for each in figures if each.name == name and each.other != BareWebhooks.name))
        for name, heading in headings.items()
    ]
    return write_chart("Afterword beside the naive build", groups)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
