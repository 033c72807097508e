"""Row 16: the machine of Redis's primary is lost, again and again, under load. The control has no REDIS_REPLICAS."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Literal

import redis

from service.sandbox.server import Sandbox
from tests.chaos.customers import Customers, Verdict
from tests.chaos.pressure import wait_until_drained
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import QUICK, SURVEYS
from tests.polling import eventually
from tests.processes import Afterword
from tests.sandboxes import sandbox
from tests.sentinels import Watched, watched

Scale = Literal["short", "long"]

_IN_BETWEEN = 3
"""The number of closes acknowledged between the cut of replicas and the loss of their primary."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run. `seconds` is the longest time of calm between two losses."""

    nodes: int
    failovers: int
    per_second: float
    seconds: float


SIZES: Mapping[Scale, Size] = {"short": Size(2, 2, 6.0, 0.5), "long": Size(3, 30, 8.0, 4.0)}
CONTROL: Mapping[Scale, Size] = {"short": Size(2, 1, 6.0, 0.5), "long": Size(3, 10, 8.0, 4.0)}


@dataclass(frozen=True, slots=True)
class World:
    """An Afterword with sentinels."""

    dixa: Sandbox
    nodes: Watched
    afterword: Afterword
    spool: Path

    def lost(self, customers: Customers) -> set[int]:
        """Return the accepted closes that are neither in the spool nor in Redis. They only move from there to here."""
        accepted, spooled = set(customers.accepted), set[int]()
        for path in self.spool.glob("[!.]*.json"):
            with suppress(FileNotFoundError):
                spooled.add(json.loads(path.read_bytes())["conversation_id"])
        with redis.Redis(port=self.nodes.primary().port) as client:
            return {each for each in accepted - spooled if not client.exists(f"afterword:survey:{each}")}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run. `lost` is the number of accepted closes without a record, after any of the failovers."""

    failovers: int
    lost: int
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.failovers} failovers: {self.verdict}; {self.lost} accepted closes were without a record"


@contextmanager
def world(nodes: int, **environ: str) -> Iterator[World]:
    """Start data nodes with their sentinels, a sandbox, a web and a worker."""
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name, sandbox() as dixa:
        folder = Path(name)
        (folder / "surveys.toml").write_text(SURVEYS)
        with watched(folder / "nodes", nodes) as found:
            given = {
                "REDIS_URL": found.url,
                "DIXA_API_URL": dixa.api_url,
                "SURVEYS_FILE": str(folder / "surveys.toml"),
            }
            afterword = Afterword(folder, QUICK | given | environ)
            try:
                afterword.start()
                yield World(dixa, found, afterword, folder / "spool")
            finally:
                afterword.stop()


def run_failovers(seed: int, scale: Scale) -> Row:
    """Lose primaries, and count lost and duplicate surveys."""
    size = SIZES[scale]
    with ThreadPoolExecutor(1) as beside:
        control = beside.submit(lose_primaries, seed, CONTROL[scale], replicas=0)
        if scale == "long":
            control.result()
        ours = lose_primaries(seed, size, replicas=1)
    harmed = control.result()
    return Row(
        number=16,
        fault=f"the primary of {size.nodes} nodes killed and its disk thrown away × {size.failovers}; three sentinels",
        seed=seed,
        commit=commit(),
        shown=str(ours),
        control=f"without REDIS_REPLICAS: {harmed.lost} of {harmed.verdict.accepted} accepted closes lost",
        passed=ours.verdict.is_clean and not ours.lost and harmed.lost > 0,
    )


def lose_primaries(seed: int, size: Size, *, replicas: int) -> Outcome:
    """Run surveys while one primary after the other is lost. The lost one comes back empty, as a replica."""
    random = Random(seed)
    # A second webhook would create a lost record again.
    duplicates = 0.3 if replicas else 0.0
    with (
        world(size.nodes, REDIS_REPLICAS=str(replicas)) as found,
        Customers(found.dixa, found.afterword.webhook_url, random, duplicates) as customers,
    ):
        nodes = found.nodes
        # Losses before anything works would hit nothing.
        customers.close(1, 10.0)
        eventually(customers.is_served)
        lost = set[int]()
        with closing(customers, size.per_second):
            with found.afterword.frozen("worker"):
                # No replica has the latest closes. Without a worker no customer has their links, so no answer creates
                # their records again.
                _cut_off(nodes, random, len(nodes.replicas()))
                wait_for_more(found.dixa, customers, _IN_BETWEEN)
                before = nodes.fail_over()
                lost |= found.lost(customers)
            nodes.bring_back(before)
            for _ in range(size.failovers - 1):
                Event().wait(random.uniform(0, size.seconds))
                _cut_off(nodes, random, random.randint(0, len(nodes.replicas())))
                wait_for_more(found.dixa, customers, _IN_BETWEEN)
                before = nodes.fail_over()
                lost |= found.lost(customers)
                nodes.bring_back(before)
        wait_until_drained(found.afterword)
        if replicas:
            eventually(customers.is_served)
        lost |= found.lost(customers)
        return Outcome(size.failovers, len(lost), customers.verdict())


def _cut_off(nodes: Watched, random: Random, count: int) -> None:
    for each in random.sample(nodes.replicas(), count):
        nodes.cut_off(each)


@contextmanager
def closing(customers: Customers, per_second: float) -> Iterator[None]:
    """Close conversations until the end."""
    done = Event()

    def close() -> None:
        while not done.is_set():
            customers.close(1, per_second)

    thread = Thread(target=close)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def wait_for_more(dixa: Sandbox, customers: Customers, count: int) -> None:
    """Wait until so many conversations that don't exist yet are closed, and their webhooks acknowledged."""
    before = set(dixa.state.conversations)
    eventually(lambda: len(customers.accepted - before) >= count)


ROWS: dict[int, Callable[[int, Scale], Row]] = {16: run_failovers}
