"""The time left for an attempt, and its waits after a lost or forbidden call, a failure or a lag of Dixa."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import Timings
from service.journeys.attempt import Attempt
from service.surveys.errors import Refused, RetryLater
from service.surveys.model import Answer, AnswerProgress, Call, Claim, FollowUp, OfferProgress, Record
from service.surveys.ports import Deadline
from service.surveys.states import AnswerState, FollowUpState, Journey, OfferState
from tests.harness import CSAT

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TIMINGS = Timings(
    step_budget=MINUTE,
    reconcile_after=10 * SECOND,
    dixa_lag=30 * SECOND,
    backoff_min=2 * SECOND,
    backoff_max=MINUTE,
)


class FixedDeadline(Deadline):
    """A deadline with a fixed remaining time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(timedelta())
        self._left = seconds

    def remaining(self) -> float:
        return self._left


class DownSince:
    """A Dixa with a fixed downtime since any event."""

    def __init__(self, downtime: timedelta) -> None:
        self._downtime = downtime

    def downtime(self, since: datetime) -> timedelta:
        return self._downtime


def attempt_of(
    journey: Journey = Journey.OFFER,
    timings: Timings = TIMINGS,
    *,
    seconds_left: float = 60.0,
    downtime: timedelta = timedelta(),
    accepted_at: datetime = NOW - timedelta(hours=1),
    **offer: Any,
) -> Attempt:
    record = Record(
        "1",
        1,
        accepted_at,
        None,
        None,
        OfferProgress(OfferState.DECIDING, **offer),
        answer=AnswerProgress(AnswerState.SUBMITTING, Answer({CSAT: 1}, "", "en", NOW), tries=2),
        follow_up=FollowUp(FollowUpState.FOLLOWING, tries=3),
    )
    claim, dixa = Claim(journey, 1, NOW, record), DownSince(downtime)
    return Attempt(claim, FixedDeadline(seconds_left), dixa, timings, SECOND)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step_budget", "seconds_left", "has_time"),
    [(MINUTE, 5.0, True), (MINUTE, 4.99, False), (6 * SECOND, 2.0, True), (6 * SECOND, 1.99, False)],
)
def test_call_needs_five_seconds_or_a_third_of_the_budget(
    step_budget: timedelta, seconds_left: float, *, has_time: bool
) -> None:
    found = attempt_of(timings=replace(TIMINGS, step_budget=step_budget), seconds_left=seconds_left)
    assert found.has_time() is has_time


@pytest.mark.parametrize(("journey", "tries"), [(Journey.OFFER, 1), (Journey.ANSWER, 2), (Journey.FOLLOW_UP, 3)])
def test_each_journey_counts_its_own_tries(journey: Journey, tries: int) -> None:
    assert attempt_of(journey, tries=1).tries == tries


def test_journey_without_progress_has_no_tries() -> None:
    found = attempt_of(Journey.ANSWER)
    assert found.with_record(replace(found.record, answer=None)).tries == 0


@pytest.mark.parametrize(("tries", "seconds"), [(0, 2), (1, 4), (4, 32), (5, 60), (10_000, 60)])
def test_backoff_doubles_up_to_its_maximum(monkeypatch: pytest.MonkeyPatch, tries: int, seconds: int) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    assert attempt_of(tries=tries).backoff() == seconds * SECOND


def test_backoff_is_random_between_zero_and_its_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    for share in (0.0, 0.25):
        monkeypatch.setattr(random, "random", lambda share=share: share)
        assert attempt_of(tries=1).backoff() == 4 * SECOND * share


def test_wait_of_the_error_replaces_the_backoff() -> None:
    assert attempt_of().backoff(RetryLater("busy", timedelta())) == timedelta()
    assert attempt_of().backoff(RetryLater("busy", MINUTE)) == MINUTE


def test_lost_call_is_reconciled_a_fixed_time_after_its_start() -> None:
    found = attempt_of()
    assert found.reconcile_in(Call(CSAT, NOW - 4 * SECOND)) == 6 * SECOND
    assert found.reconcile_in(Call(CSAT, NOW - 10 * SECOND)) == timedelta()


def test_backoff_of_a_lost_call_is_at_least_reconcile_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    assert attempt_of().reconcile_backoff() == 10 * SECOND
    assert attempt_of(tries=4).reconcile_backoff() == 32 * SECOND


def test_forbidden_call_is_retried_ten_times() -> None:
    assert attempt_of(tries=9).may_be_allowed()
    assert not attempt_of(tries=10).may_be_allowed()


@pytest.mark.parametrize(("status", "may_pass"), [(404, True), (409, True), (423, True), (425, True), (400, False)])
def test_only_some_statuses_are_retried_during_the_lag(status: int, *, may_pass: bool) -> None:
    found = attempt_of(accepted_at=NOW - 5 * SECOND).lag_wait(Refused("no", status))
    assert found == (5 * SECOND if may_pass else None)


@pytest.mark.parametrize(
    ("accepted", "offered", "downtime", "wait"),
    [
        pytest.param(5, None, 0, 5, id="recent event"),
        pytest.param(1, None, 0, 2, id="very recent event"),
        pytest.param(29, None, 0, 29, id="just before the end of the lag"),
        pytest.param(30, None, 0, None, id="end of the lag"),
        pytest.param(31, None, 0, None, id="old event"),
        pytest.param(39, None, 10, 39, id="lag extended by an outage"),
        pytest.param(40, None, 10, None, id="end of the extended lag"),
        pytest.param(100, None, 200, 60, id="long outage"),
        pytest.param(100, 7, 0, 7, id="latest event counts"),
        pytest.param(100, 0, 0, 2, id="event of this moment"),
        pytest.param(100, -1, 0, None, id="future event is ignored"),
        pytest.param(-1, None, 0, 2, id="only a future event"),
    ],
)
def test_wait_for_the_lag_of_dixa_doubles_until_its_end(
    accepted: int, offered: int | None, downtime: int, wait: int | None
) -> None:
    """Events are given by their age in seconds."""
    offered_at = None if offered is None else NOW - offered * SECOND
    found = attempt_of(downtime=downtime * SECOND, accepted_at=NOW - accepted * SECOND, offered_at=offered_at)
    assert found.lag_wait() == (None if wait is None else wait * SECOND)


@pytest.mark.parametrize(("downtime", "is_late"), [(0, True), (1, True), (2, False)])
def test_downtime_of_dixa_extends_the_deadline(downtime: int, *, is_late: bool) -> None:
    found = attempt_of(downtime=downtime * MINUTE)
    assert found.is_late(3 * MINUTE, lambda within: within < 5 * MINUTE) is is_late
    assert not found.is_late(5 * MINUTE, lambda within: within < 5 * MINUTE)
