"""Webhooks accepted by Afterword, Node-RED and n8n, as one table: `make bench-peers`. npm must be able to install them.

build/bench-peers.json has every value of every round.
"""

import sys
from functools import partial

from tests.bench.bench import SURVEYS, open_bench
from tests.bench.figures.webhooks import run
from tests.bench.peers.servers import PEERS, NodeRed
from tests.bench.report import Figure, write_json, write_table
from tests.bench.servers import AfterwordServer
from tests.processes import ROOT

_GOALS = {NodeRed.name: "≥ 0.6 ×"}
_USUAL_GOAL = "≥ 28 ×"


def main() -> None:
    """Install the peers, measure, print the table, and write the results."""
    peers = []
    for each in PEERS:
        if problem := each.install():
            sys.stdout.write(f"{each.name} is left out: {problem}\n")
        else:
            peers.append(each)
    with open_bench(3, surveys_due=0, has_million=False) as bench:
        runs = bench.interleave(
            {
                "Afterword": lambda: run(
                    AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS))
                )
            }
            | {each.name: partial(lambda peer: run(peer(bench.new_folder(), bench.redis)), each) for each in peers}
        )
    ours = runs.pop("Afterword")
    figures = [
        Figure(
            "webhooks accepted, 32 connections",
            [each.load.rate for each in ours],
            "/s",
            name,
            [each.load.rate for each in theirs],
            _GOALS.get(name, _USUAL_GOAL),
        )
        for name, theirs in runs.items()
    ]
    sys.stdout.write(write_table(figures))
    file = ROOT / "build" / "bench-peers.json"
    file.write_text(write_json(figures, {}), encoding="utf-8")


if __name__ == "__main__":
    main()
