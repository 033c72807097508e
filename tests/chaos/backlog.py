"""Row 14: workers finish a backlog of waiting and half-finished surveys at the full rate."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Literal

from honcho.environ import parse_procfile

from service.records.redis import connect
from service.sandbox.server import Sandbox
from service.surveys.states import Journey, OfferState
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import Cluster
from tests.harness import OFFER_OVER, LosesResponses, Story
from tests.processes import ROOT
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]
Seed = Callable[[Story, Sandbox], str]

PREFIX = "afterword:"
RATE = 9.9
MAX_CALLS, MAX_CLAIMS, LEAST_SHARE = 6, 10, 0.9
AS_SHIPPED = {
    "DIXA_PACE": f"{RATE}/3",
    # A close lost by a defect must stay lost.
    "RECOVER_CLOSES": "off",
    "RELAY_INTERVAL": "250ms",
    "LEASE": "60s",
    "STEP_BUDGET": "15s",
    "REQUEUE_AFTER": "60s",
    "BACKOFF_MIN": "5s",
    "BACKOFF_MAX": "15m",
}


# ── The backlog ───────────────────────────────────────────────────────────────────────────────────────────────────────
def make_delivering(story: Story, _: Sandbox) -> str:
    """The outcome of the message is unknown. It was not sent."""
    return _go(story, story.begin(), OfferState.DELIVERING)


def make_unknown_offer(story: Story, dixa: Sandbox) -> str:
    """Dixa made the offer; its response was lost."""
    dixa.executes_then_drops(call="offer")
    return _go(story, story.begin(), OfferState.UNKNOWN)


def make_unknown_nothing(story: Story, dixa: Sandbox) -> str:
    """The call for the offer was lost."""
    dixa.drops_before(call="offer")
    return _go(story, story.begin(), OfferState.UNKNOWN)


def make_deciding(story: Story, _: Sandbox) -> str:
    """It was claimed only."""
    survey_id = story.begin()
    claim = story.records.claim(Journey.OFFER, survey_id)
    assert claim
    story.records.reschedule(claim, timedelta(), failed=False)
    return survey_id


def make_waiting(story: Story, _: Sandbox) -> str:
    return story.begin()


def _go(story: Story, survey_id: str, state: OfferState) -> str:
    story.run_until(story.offering, survey_id, lambda record: record.offer.state is state)
    return survey_id


def make_backlog(tenth: int, seed: int) -> list[Seed]:
    """Of ten, two are delivering, two unknown, two deciding and four waiting, in any order."""
    kinds: list[Seed] = [
        *[make_delivering, make_deciding] * 2 * tenth,
        *[make_unknown_offer, make_unknown_nothing] * tenth,
        *[make_waiting] * 4 * tenth,
    ]
    Random(seed).shuffle(kinds)
    return kinds


# ── The row ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class PoolSize:
    """A number of workers, and of threads in each."""

    workers: int
    threads: int

    def __str__(self) -> str:
        return f"{self.workers} × {self.threads}"

    def commands(self, app: str) -> dict[str, list[str]]:
        """The Procfile's worker, with this app."""
        command = parse_procfile((ROOT / "Procfile").read_text()).processes["worker"]
        threads = command.replace("--concurrency 8", f"--concurrency {self.threads}")
        assert threads != command or self.threads == 8, command
        words = threads.replace("-m workers", f"-m {app}").split()
        return {f"worker-{number}": [*words, "--hostname", f"{number}@%h"] for number in range(self.workers)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a backlog. `seconds` are from the first call to the last."""

    surveys: int
    done: int
    doubled: int
    calls: int
    claims: int
    seconds: float

    @property
    def share(self) -> float:
        """Return the used share of the rate."""
        return self.calls / (self.seconds * RATE) if self.seconds else 0.0

    @property
    def is_good(self) -> bool:
        is_frugal = self.calls <= MAX_CALLS * self.surveys and self.claims <= MAX_CLAIMS * self.surveys
        return self.done == self.surveys and not self.doubled and is_frugal and self.share >= LEAST_SHARE

    def __str__(self) -> str:
        each = f"{self.calls / self.surveys:.1f} calls and {self.claims / self.surveys:.1f} claims a survey"
        return f"{self.done} of {self.surveys} in {self.seconds:.0f} s, {self.share:.0%} of the pace, {each}"


SIZES: Mapping[Scale, tuple[int, tuple[PoolSize, ...]]] = {
    "short": (6, (PoolSize(4, 16),)),
    "long": (25, (PoolSize(1, 8), PoolSize(2, 8), PoolSize(4, 16))),
}


def run_backlog(seed: int, scale: Scale) -> Row:
    """Let each pool of workers finish the same backlog, and the control with the same time limit."""
    tenth, sizes = SIZES[scale]
    kinds = make_backlog(tenth, seed)
    within = 1.5 * len(kinds) * MAX_CALLS / RATE
    ours, control = {}, {}
    # The short ones share the machine, the long ones take turns.
    with ThreadPoolExecutor(2 if scale == "short" else 1) as beside:
        for size in sizes:
            first = beside.submit(work_off, kinds, size, "workers", within)
            second = beside.submit(work_off, kinds, size, "tests.chaos.unchecked_claims", within / 2)
            ours[size], control[size] = first.result(), second.result()
    # Eight threads are too few to take each other's slots: before admission one worker alone did well.
    harmed = [each for size, each in control.items() if size.workers > 1]
    return Row(
        number=14,
        fault=f"a backlog of {len(kinds)}, 60 % of it in the middle of its way, one token at {RATE}/s",
        seed=seed,
        commit=commit(),
        shown="; ".join(f"{size} threads: {outcome}" for size, outcome in ours.items()),
        control="without admission: " + "; ".join(f"{size}: {outcome}" for size, outcome in control.items()),
        passed=all(each.is_good for each in ours.values()) and not any(each.is_good for each in harmed),
    )


def work_off(kinds: list[Seed], size: PoolSize, app: str, within: float) -> Outcome:
    """Make the backlog, and let real workers work until it is done or the time is up."""
    with (
        sandbox() as dixa,
        TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder,
    ):
        cluster = Cluster(Path(folder), dixa.api_url, size.commands(app), **AS_SHIPPED)
        cluster.server.start()
        with connect(cluster.server.url) as client:
            lost = Story(client, PREFIX, dixa, deliveries=[LosesResponses()])
            backlog = [make(lost, dixa) for make in kinds]
            claimed = _count_claims(lost, backlog)
        # Its file holds it all.
        cluster.server.stop()
        called: list[float] = []
        dixa.on_exchange.append(lambda _: called.append(monotonic()))
        try:
            cluster.start()
            with connect(cluster.server.url) as client:
                story = Story(client, PREFIX, dixa)
                done = _wait(story, backlog, within)
                claims = _count_claims(story, backlog) - claimed
        finally:
            cluster.stop()
        report = dixa.report
        doubled = len(report.second_offers) + len(report.duplicate_messages)
        return Outcome(len(backlog), done, doubled, len(called), claims, called[-1] - called[0] if called else 0.0)


def _wait(story: Story, backlog: list[str], within: float) -> int:
    """Wait until all surveys have ended, or for this time. Return the number of delivered links."""
    left, done, ends_at = list(backlog), 0, monotonic() + within
    while left and monotonic() < ends_at:
        Event().wait(0.5)
        records = [story.load(each) for each in left]
        done += sum(record.offer.state is OfferState.DELIVERED for record in records)
        left = [each.survey_id for each in records if each.offer.state not in OFFER_OVER]
    return done


def _count_claims(story: Story, backlog: list[str]) -> int:
    return sum(int(story.records._redis.hget(f"{PREFIX}survey:{each}", "offer_fence") or 0) for each in backlog)


ROWS: dict[int, Callable[[int, Scale], Row]] = {14: run_backlog}
