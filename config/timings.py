"""How long everything takes, waits or lives, and which of these times don't go together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from config.values import Pace

_KEEP_AT_LEAST = timedelta(days=90)
_STEP_AT_LEAST = timedelta(seconds=5)
_LONGEST_MAIL = timedelta(minutes=30)
_DIXAS_LIMIT = Pace(rate=10, burst=4)


@dataclass(frozen=True, slots=True)
class Timings:
    """How long everything takes, waits or lives. Each field is read from the variable of its name in capitals."""

    lease: timedelta = timedelta(seconds=60)
    step_budget: timedelta = timedelta(seconds=15)
    mail_budget: timedelta = timedelta(minutes=5)
    reconcile_after: timedelta = timedelta(seconds=60)
    dixa_lag: timedelta = timedelta(minutes=5)
    requeue_after: timedelta = timedelta(seconds=60)
    backoff_min: timedelta = timedelta(seconds=5)
    backoff_max: timedelta = timedelta(minutes=15)
    offer_max_age: timedelta = timedelta(hours=72)
    answer_max_age: timedelta = timedelta(days=30)
    record_retention: timedelta = timedelta(days=90)
    relay_interval: timedelta = timedelta(milliseconds=250)
    recovery_wait: timedelta = timedelta(seconds=10)
    token_retry_after: timedelta = timedelta(minutes=1)


def find_contradictions(timings: Timings) -> Iterator[str]:
    """Name the pairs that don't go together; one that couldn't be read is None and has its line already."""
    if timings.lease and timings.step_budget and timings.lease < 2 * timings.step_budget:
        yield "  LEASE: must be at least twice STEP_BUDGET, or a claim could end under a running step. Such as 60s."
    if timings.mail_budget and timings.mail_budget > _LONGEST_MAIL:
        yield "  MAIL_BUDGET: must not be over 30m: as long a mail keeps a thread of a worker. Such as 5m."
    if timings.backoff_min and timings.backoff_max and timings.backoff_max < timings.backoff_min:
        yield "  BACKOFF_MAX: must not be shorter than BACKOFF_MIN. Such as 15m."


def find_risks(timings: Timings, pace: Pace) -> Iterator[str]:
    """Warn of what works, and may ask or submit twice, or be refused by Dixa."""
    if timings.reconcile_after < timings.step_budget:
        yield "RECONCILE_AFTER is under STEP_BUDGET: a slow call to Dixa may be made twice. Such as 60s."
    if timings.step_budget < _STEP_AT_LEAST:
        yield "STEP_BUDGET is under 5s: calls may be cut off before Dixa answers them. Such as 15s."
    if pace.rate > _DIXAS_LIMIT.rate or pace.burst > _DIXAS_LIMIT.burst:
        yield "DIXA_PACE is over 10/4, which is what Dixa allows a token: calls will be answered 429. Such as 9.5/3."
    if timings.record_retention < _KEEP_AT_LEAST:
        yield "RECORD_RETENTION is under 90d: a finished survey that is forgotten can be asked again."
