"""How many surveys get lost: in a burst above the API's limit, and in an outage of the API.

The naive build retries as Celery's documentation shows. Both builds run at the same time, each with an API of its own:
the figures are counts, not times.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from threading import Event
from time import monotonic

import redis

from tests.bench.bench import AT_ONCE, Bench
from tests.bench.dixa import Report, StandIn, stand_in
from tests.bench.figures.surveys import count_claims
from tests.bench.load import drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer, NaiveWithWorker
from tests.bench.traffic import numbers, webhook
from tests.polling import eventually

_SURVEYS = 300
_RATE = 10.0
BURST = f"lost of {_SURVEYS} in a burst at 10 calls a second"
_OVER_SECONDS = 20
_DOWN_SECONDS = 10
OUTAGE = f"lost of {_SURVEYS} in {_DOWN_SECONDS} s of outage"
_QUIET_SECONDS = 75
"""After so long without a call no survey is left: Afterword queries a lost offer after RECONCILE_AFTER, 60 s."""

Story = Callable[["AfterwordServer | NaiveWithWorker", StandIn, list[int]], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the surveys of one build."""

    lost: int
    claims: float
    report: Report


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the lost surveys of both builds."""
    ours, naive = _run_both(bench, burst, pace="9.5/3")
    name = NaiveWithWorker.name
    yield Figure(BURST, [ours.lost], "", name, [naive.lost], "0")
    yield Figure("burst: 429", [ours.report.throttled], "", name, [naive.report.throttled])
    yield Figure("burst: claims a survey", [ours.claims])
    ours, naive = _run_both(bench, outage, pace="1000/100")
    yield Figure(OUTAGE, [ours.lost], "", name, [naive.lost], "0")


def burst(server: AfterwordServer | NaiveWithWorker, dixa: StandIn, made: list[int]) -> None:
    """Close all conversations at once, with Dixa's limit."""
    dixa.set_rate(_RATE)
    drive(server.port, (webhook(number, server.port) for number in made), connections=8).require(202)


def outage(server: AfterwordServer | NaiveWithWorker, dixa: StandIn, made: list[int]) -> None:
    """Close conversations evenly over some time. In the middle of it the API is down."""
    began = monotonic()
    down_at = (_OVER_SECONDS - _DOWN_SECONDS) / 2
    for place, number in enumerate(made):
        at = place * _OVER_SECONDS / len(made)
        Event().wait(max(0.0, began + at - monotonic()))
        dixa.set_down(is_down=down_at <= at < down_at + _DOWN_SECONDS)
        drive(server.port, [webhook(number, server.port)], connections=1).require(202)


def _run_both(bench: Bench, story: Story, pace: str) -> tuple[Outcome, Outcome]:
    with stand_in() as first, stand_in() as second, ThreadPoolExecutor(2) as beside:
        given = {"SURVEYS_FILE": bench.surveys(AT_ONCE), "DIXA_API_URL": first.api_url, "DIXA_PACE": pace}
        # A close lost by a defect must stay lost.
        given["RECOVER_CLOSES"] = "off"
        ours = AfterwordServer(bench.new_folder(), bench.redis, **given)
        naive = NaiveWithWorker(bench.new_folder(), bench.redis, DIXA_API_URL=second.api_url)
        runs = [beside.submit(_run, server, dixa, story) for server, dixa in ((ours, first), (naive, second))]
        found = [each.result() for each in runs]
        return found[0], found[1]


def _run(server: AfterwordServer | NaiveWithWorker, dixa: StandIn, story: Story) -> Outcome:
    made = list(islice(numbers, _SURVEYS))
    server.start("web", "worker")
    try:
        story(server, dixa, made)
        _wait_until_over(dixa)
        report = dixa.report()
        with redis.Redis.from_url(server.redis_url, decode_responses=True) as client:
            return Outcome(len(set(made) - set(report.messages)), count_claims(client, made) / len(made), report)
    finally:
        server.stop()


def _wait_until_over(dixa: StandIn) -> None:
    """Wait until all messages have arrived, or no call does for some time."""
    calls, since = 0, monotonic()

    def is_over() -> bool:
        nonlocal calls, since
        Event().wait(0.5)
        counts = dixa.counts()
        if counts["calls"] > calls:
            calls, since = counts["calls"], monotonic()
        return counts["messages"] >= _SURVEYS or monotonic() > since + _QUIET_SECONDS

    eventually(is_over, 600)
