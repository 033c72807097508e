"""Row 15: a long outage of Dixa. Its time passes without waiting."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from service.surveys.states import OfferState
from tests.chaos.rows import Row, commit
from tests.processes import RedisServer, patient
from tests.relayed import SECOND, Workers
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]

SURVEYS: Mapping[Scale, int] = {"short": 60, "long": 200}
SOON_SECONDS = 15
MAX_TRIES = 16
"""The number of threads: each may have a call in flight at the start."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an outage. `waited` is the time from its end to the last offer, in seconds."""

    surveys: int
    asked: int
    waited: int
    tries: int
    calls: int
    doubled: int

    @property
    def is_good(self) -> bool:
        is_soon = self.asked == self.surveys and self.waited <= SOON_SECONDS
        return is_soon and self.tries <= MAX_TRIES and not self.doubled

    def __str__(self) -> str:
        burden = f"{self.calls} calls while down, {self.tries} failed tries"
        return f"{self.asked} of {self.surveys} asked {self.waited} s after it; {burden}"


def run_downtime(seed: int, scale: Scale) -> Row:
    """Let Dixa respond 503, then hang up, while surveys are due. The control doesn't detect outages."""
    surveys, minutes = SURVEYS[scale], 10 if scale == "short" else 60
    with ThreadPoolExecutor(1) as one_by_one:
        answers, hangs_up, control = one_by_one.map(
            lambda each: go_down(surveys, minutes, *each), [(503, True), (None, True), (503, False)]
        )
    return Row(
        number=15,
        fault=f"Dixa down for {minutes} minutes (given, not waited for), with {surveys} surveys due; 2 × 8 threads",
        seed=seed,
        commit=commit(),
        shown=f"503: {answers}; no response: {hangs_up}",
        control=f"each survey waits for itself: {control}",
        passed=answers.is_good and hangs_up.is_good and not control.is_good,
    )


def go_down(surveys: int, minutes: int, status: int | None, knows_outages: bool) -> Outcome:  # noqa: FBT001
    """Make the surveys, and run an outage of Dixa."""
    with sandbox() as dixa, TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(Path(folder), "--appendfsync", "no")
        server.start()
        try:
            with patient(server.url) as client:
                workers = Workers(client, "chaos:", dixa, knows_outages=knows_outages)
                waiting = [workers.story.begin() for _ in range(surveys)]
                dixa.outage(status)
                workers.run_for(timedelta(minutes=minutes), 15 * SECOND)
                calls = len(dixa.calls)
                tries = sum(workers.story.load(each).offer.tries for each in waiting)
                dixa.outage_is_over()
                waited = workers.seconds_until(waiting, 2 * SOON_SECONDS)
                offers = [workers.story.load(each).offer for each in waiting]
        finally:
            server.stop()
        return Outcome(
            surveys=surveys,
            asked=sum(each.state is OfferState.DELIVERED for each in offers),
            waited=waited,
            tries=tries,
            calls=calls,
            doubled=len(dixa.report.second_offers) + len(dixa.report.duplicate_messages),
        )


ROWS: dict[int, Callable[[int, Scale], Row]] = {15: run_downtime}
