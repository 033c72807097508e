"""Rows 5, 6 and 7: an outage of Dixa, lost responses, and late execution."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from threading import Event
from typing import Literal

from service.sandbox.dixa.faults import Fault, Kind
from tests.chaos import naive
from tests.chaos.crashing_worker import Place
from tests.chaos.customers import Customers, Verdict
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import running
from tests.chaos.worker_pool import Sum, WorkerPool, worker_pool
from tests.polling import eventually
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]

ACTIONS = ("offer", "message", "submit")
_NOWHERE = Place("", "", "")
_TRIES = 3


# ── Row 5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_outage(seed: int, scale: Scale) -> Row:
    """Dixa is down, then back, while all surveys wait. Short form: four times its rate."""
    faster, count, seconds = (4.0, 25, 5.0) if scale == "short" else (1.0, 200, 60.0)
    limit = {"rate": 10.0 * faster, "burst": 4}
    # An hour in a minute or less: so are the backoff's 5 s and 15 min.
    backoff_ms = (int(5_000 * seconds / 3600), int(900_000 * seconds / 3600))
    # The pace isn't compressed in the long one, so a claim's time can't be either: it would end before the next slot.
    paced = Place("", "", "", backoff_ms=backoff_ms, lease_ms=1600 if scale == "short" else 20_000)
    hasty = Place("", "", "", backoff_ms=(1, 2), unpaced=True)
    allowed = 9.5 * faster + 3

    def go_down() -> tuple[Sum, bool, str]:
        ours, calls, most, during, throttled = _go_down(paced, limit, count, seconds, rate=9.5 * faster, burst=3)
        shown = (
            f"{ours}; {during} calls while down; at most {most} calls in any second (pace and burst: {allowed:.0f}); "
            f"{throttled} responses 429 to {calls} calls"
        )
        return ours, most <= 1.1 * allowed and throttled <= 2 + calls // 1000, shown

    ours, is_paced, shown = go_down()
    for _ in range(_TRIES - 1 if scale == "short" else 0):
        # What a busy machine holds up arrives in a bunch. It spoils one try; a fault of ours spoils each.
        if ours.is_clean and not is_paced:
            ours, is_paced, shown = go_down()
    _, hasty_calls, hasty_most, hasty_during, hasty_throttled = _go_down(
        hasty, {"rate": 10.0, "burst": 4}, count, 2.0, rate=1.0, burst=1, within=6
    )
    return Row(
        number=5,
        fault=f"Dixa down for {seconds:.0f} s, which stands for an hour",
        seed=seed,
        commit=commit(),
        shown=shown,
        control=(
            f"no pace and no backoff: {hasty_during} calls while down, at most {hasty_most} in a second, "
            f"{hasty_throttled} responses 429 to {hasty_calls} calls"
        ),
        passed=ours.is_clean and is_paced and hasty_throttled > 2 + hasty_calls // 10,
    )


def _go_down(
    place: Place,
    limit: Mapping[str, float],
    count: int,
    seconds: float,
    *,
    rate: float,
    burst: int,
    within: float | None = None,
) -> tuple[Sum, int, int, int, int]:
    with worker_pool(place, settings=limit, rate=rate, burst=burst) as pool:
        pool.close(count // 3)
        Event().wait(0.5)
        before = len(pool.dixa.calls)
        pool.dixa.outage()
        pool.close(count - count // 3)
        Event().wait(seconds)
        during = len(pool.dixa.calls) - before
        pool.dixa.outage_is_over()
        if within is None:
            pool.wait()
        else:
            # The control has failed by then.
            Event().wait(within)
        return pool.sum(), len(pool.dixa.calls), _most_in_a_second(pool), during, pool.dixa.report.throttled


def _most_in_a_second(pool: WorkerPool) -> int:
    window: deque[datetime] = deque()
    most = 0
    for call in sorted(pool.dixa.calls, key=lambda each: each.at):
        began = call.at - timedelta(seconds=call.duration)
        window.append(began)
        while began - window[0] >= timedelta(seconds=1):
            window.popleft()
        most = max(most, len(window))
    return most


# ── Row 6 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_timeouts(seed: int, scale: Scale) -> Row:
    """Dixa executes all calls and responds too late: first to offers and submits, then to queries as well."""
    seconds, count = (4.0, 20) if scale == "short" else (300.0, 200)
    with ThreadPoolExecutor(1) as beside:
        control = beside.submit(_naive_timeouts, seed, min(seconds, 30.0))
        ours = _time_out(seed, count, seconds)
    harmed = control.result()
    return Row(
        number=6,
        fault=f"every call times out after executing, for {seconds:.0f} s",
        seed=seed,
        commit=commit(),
        shown=str(ours),
        control=f"naive build: {harmed}",
        passed=ours.is_clean and harmed.is_doubled,
    )


def _time_out(seed: int, count: int, seconds: float) -> Sum:
    with worker_pool(_NOWHERE, size=8) as pool:
        # Longer than the step budget, so than any timeout.
        for call in ACTIONS:
            pool.dixa.inject(Fault(Kind.SLOW, 1_000_000, call, seconds=1.0))
        pool.close(count)
        Event().wait(seconds / 2)
        pool.dixa.faults.randomly(seed, {"slow": 1.0}, seconds=1.0)
        Event().wait(seconds / 2)
        pool.dixa.faults.clear()
        pool.wait()
        return pool.sum()


def _naive_timeouts(seed: int, seconds: float) -> Verdict:
    with (
        sandbox() as dixa,
        running(dixa.api_url, naive.COMMANDS) as cluster,
        Customers(dixa, cluster.webhook_url, Random(seed)) as customers,
    ):
        dixa.faults.randomly(seed, {"slow": 1.0}, seconds=2.5)
        customers.close(5, 5.0)
        with suppress(AssertionError):
            eventually(lambda: customers.verdict().is_doubled, within=seconds + 240)
        return customers.verdict()


# ── Row 7 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_late(seed: int, scale: Scale) -> Row:
    """Dixa hangs up, and executes the call just before or after we reconcile. Short form: RECONCILE_AFTER is 5 s."""
    faster, count, after = (12.0, 4, 2.0) if scale == "short" else (1.0, 30, 5.0)
    with ThreadPoolExecutor(2) as beside:
        in_time, too_late = beside.map(lambda beyond: _be_late(count, faster, beyond), (-1.0, after))
    return Row(
        number=7,
        fault=f"each call executes at RECONCILE_AFTER - 1 s{f' (it is {60 / faster:.0f} s)' if faster > 1 else ''}",
        seed=seed,
        commit=commit(),
        shown=str(in_time),
        control=(
            f"at RECONCILE_AFTER + {after:.0f} s, the documented duplicate: {too_late.second_offers} second offers, "
            f"{too_late.double_submits} double submits, {too_late.second_messages} second messages and "
            f"{too_late.orphans} offers taken for someone else's, of {too_late.conversations}"
        ),
        passed=in_time.is_clean and too_late.doubled > 0,
    )


def _be_late(count: int, faster: float, beyond: float) -> Sum:
    reconcile_after = 60 / faster
    place = Place(
        "",
        "",
        "",
        reconcile_after_ms=int(1000 * reconcile_after),
        backoff_ms=(int(5000 / faster), int(900_000 / faster)),
    )
    with worker_pool(place) as pool:
        for call in ACTIONS:
            pool.dixa.executes_late(reconcile_after + beyond, count, call=call)
        pool.close(count)
        pool.wait()
        # What came too late has come by now.
        Event().wait(6.0 if faster == 1 else 3.0)
        return pool.sum()
