"""Row 1: processes are killed at random while Dixa fails. The control is the naive build."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from threading import Event
from time import monotonic
from typing import Literal

import redis

from service.records.due_archive import DueArchive
from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.retention import ArchiveRetention
from service.surveys.states import AnswerState, OfferState
from tests.archive.comparison import find_stale
from tests.chaos import naive
from tests.chaos.customers import Customers, Verdict
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import Cluster, of_the_procfile, running
from tests.harness import ANSWER_OVER, DAY, OFFER_OVER, QUICK
from tests.polling import eventually
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]

FAULTS = {
    "fails": 0.05,
    "drops_before": 0.05,
    "executes_then_drops": 0.05,
    "executes_then_fails": 0.04,
    "slow": 0.03,
    "executes_late": 0.025,
    "hangs": 0.003,
    "throttles": 0.002,
}
"""25 % of all calls. A call that executes late does so within RECONCILE_AFTER."""

FAULT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run."""

    conversations: int
    kills: int
    per_second: float
    seconds_between_kills: float
    within: float
    heals: bool = False
    """Whether Dixa stops failing after one fault per conversation: each costs RECONCILE_AFTER."""


SIZES: Mapping[Scale, Size] = {
    "short": Size(150, 10, 12.0, 1.3, 45, heals=True),
    "long": Size(1_700, 170, 6.0, 2.0, 300),
}
"""A long run is a third of the row: three seeds make it whole."""

CONTROL: Mapping[Scale, Size] = {
    "short": Size(60, 5, 5.0, 1.5, 12),
    "long": Size(400, 60, 6.0, 1.5, 60),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run."""

    verdict: Verdict
    kills: Mapping[str, int]
    faults: Mapping[str, int]
    open_records: int
    seconds_to_finish: float
    stale_rows: Sequence[str] = ()
    odd: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether each survey was sent once, ended as it should, and is in the archive as it is on record."""
        return self.verdict.is_clean and not (self.open_records or self.odd or self.stale_rows)

    def __str__(self) -> str:
        killed = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return f"{sum(self.kills.values())} kills ({killed}), {sum(self.faults.values())} faults: {self.verdict}"


def run_kills(seed: int, scale: Scale) -> Row:
    """Kill processes, and count lost and duplicate surveys."""
    with ThreadPoolExecutor(1) as beside:
        # The short ones share the machine's patience, the long ones its processor.
        control = beside.submit(torture, seed, CONTROL[scale], naive.COMMANDS)
        if scale == "long":
            control.result()
        ours = torture(seed, SIZES[scale], of_the_procfile())
    harmed = control.result()
    rest = f"; {ours.open_records} records not terminal, all over {ours.seconds_to_finish:.0f} s after the last kill"
    rest += f"; {len(ours.stale_rows)} rows of the archive differ from their record"
    return Row(
        number=1,
        fault="random kill -9 of any process and of Redis; 25 % of calls faulted; 30 % duplicate webhooks",
        seed=seed,
        commit=commit(),
        shown=f"{ours}{rest}" + (f"; also: {dict(ours.odd)}" if ours.odd else ""),
        control=f"naive build: {harmed}",
        passed=ours.is_right and harmed.verdict.is_doubled,
    )


def torture(seed: int, size: Size, commands: Mapping[str, Sequence[str]]) -> Outcome:
    """Run surveys while processes are killed, then wait until all are served."""
    random = Random(seed)
    with (
        sandbox() as dixa,
        running(dixa.api_url, commands) as cluster,
        Customers(dixa, cluster.webhook_url, random) as customers,
    ):
        # Kills before anything works would hit nothing.
        customers.close(1, 1.0)
        eventually(customers.is_served)
        dixa.faults.randomly(seed, FAULTS, FAULT_SECONDS)
        with ThreadPoolExecutor(1) as beside:
            closing = beside.submit(customers.close, size.conversations - 1, size.per_second)
            for _ in range(size.kills):
                Event().wait(random.uniform(0, 2 * size.seconds_between_kills))
                cluster.kill_one(random)
            closing.result()
        began = monotonic()
        _wait_until_served(dixa, customers, cluster, size)
        # What was to execute late has done so by now, and a wrong repetition shows.
        seconds = monotonic() - began
        Event().wait(2)
        still_open, odd = _read_states(cluster)
        stale = [] if commands is naive.COMMANDS else _find_stale_rows(cluster)
        kills, faults = dict(cluster.kills), dict(dixa.faults.given)
        return Outcome(customers.verdict(), kills, faults, still_open, seconds, stale, odd)


def _find_stale_rows(cluster: Cluster) -> list[str]:
    """Return the surveys whose row in the archive is not that of their record, once nothing is due for it any more."""
    client = cluster.client()
    records = Records(client, lease=QUICK.lease, keep=QUICK.record_retention)
    eventually(lambda: DueArchive.beside(records).count_due() == 0)
    stale = find_stale(records, cluster.archive_url, ArchiveRetention(1825 * DAY, 395 * DAY))
    client.close()
    return stale


def _wait_until_served(dixa: Sandbox, customers: Customers, cluster: Cluster, size: Size) -> None:
    ends_at = monotonic() + size.within
    while monotonic() < ends_at:
        if len(customers.accepted) == size.conversations and customers.is_served() and not _read_states(cluster)[0]:
            return
        if size.heals and dixa.faults.given.total() >= size.conversations:
            dixa.faults.clear()
        Event().wait(0.5)


def _read_states(cluster: Cluster) -> tuple[int, dict[str, int]]:
    """Count unfinished records, and those with a wrong end."""
    client = cluster.client()
    records = Records(client, lease=QUICK.lease, keep=QUICK.record_retention)
    still_open, odd = 0, dict[str, int]()
    try:
        for key in client.scan_iter("afterword:survey:*", count=1000):
            record = records.load(key.rpartition(":")[2])
            if record is None:
                continue
            answer = record.answer.state if record.answer else AnswerState.SUBMITTED
            still_open += record.offer.state not in OFFER_OVER or answer not in ANSWER_OVER
            if record.offer.state in OFFER_OVER - {OfferState.DELIVERED} or answer is AnswerState.FAILED:
                name = f"{record.offer.state} {record.offer.reason} {answer}"
                odd[name] = odd.get(name, 0) + 1
    except redis.RedisError:
        return 1, odd
    finally:
        client.close()
    return still_open, odd
