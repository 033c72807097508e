"""Row 2: a worker crashes before and after every step of both journeys. Also lists rows 1 to 10 of this kind."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Literal

from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Close, Record
from service.surveys.ratings import RatingType
from service.surveys.states import AnswerState
from tests.chaos.crash_points import Case, all_cases
from tests.chaos.crashing_worker import Place, Point, Worker, Zygote, wait_until_gone
from tests.chaos.frozen_worker import run_standstill
from tests.chaos.kills import run_kills
from tests.chaos.late_calls import run_late, run_outage, run_timeouts
from tests.chaos.rows import Row, commit
from tests.harness import ANSWER_OVER, OFFER_OVER
from tests.polling import eventually
from tests.processes import RedisServer
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]

SCORES = {RatingType.CSAT: 4, RatingType.NPS: 9}
AT_ONCE = 8
_NOT_SCALED_SECONDS = 5.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one conversation."""

    case: Case
    offers: int
    results: int
    messages: int
    double_submits: int
    end: str
    seconds: float

    @property
    def lost(self) -> int:
        if self.end not in self.case.ends:
            return 1
        wanted = len(self.case.ratings) if self.end == "delivered" else 0
        return int(self.offers < wanted or self.results < wanted or self.messages < bool(wanted))

    @property
    def doubled(self) -> int:
        wanted = len(self.case.ratings)
        return max(0, self.offers - wanted) + max(0, self.messages - 1) + self.double_submits


class Crash:
    """One conversation, one crash, and the worker after it."""

    def __init__(self, zygote: Zygote, dixa: Sandbox, place: Place, case: Case) -> None:
        self._zygote = zygote
        self._dixa = dixa
        self._place = place
        self._case = case
        self._normal = Worker(place)
        # A survey due at once is queued by the script that writes it. Only a later one reaches the relay's step.
        wait = timedelta(milliseconds=0 if case.point.name in ("records.accept", "records.save_answer") else 30)
        self._terms = Survey(ratings=case.ratings, delay=wait, editable_for=wait)
        self._seconds = 0.0

    def run(self) -> Outcome:
        """Run it from the close to the result."""
        case, number = self._case, self._dixa.make_conversation()
        submitted_twice = len(self._dixa.report.double_submits)
        if case.trouble:
            case.trouble(self._dixa, number)
        self._dixa.close(number)
        record = self._offer(self._close_of(number))
        if record.offer.state == "delivered":
            record = self._answer(record)
        self._normal.client.set(f"{self._place.prefix}over", 1)
        sent = [each for each in self._dixa.messages(number) if each.direction == "Outbound"]
        return Outcome(
            case=case,
            offers=len(self._dixa.offers(number)),
            results=len(self._dixa.results(number)),
            messages=len(sent),
            double_submits=len(self._dixa.report.double_submits) - submitted_twice,
            end=record.offer.state if not record.answer or record.answer.state is AnswerState.SUBMITTED else "failed",
            seconds=self._seconds,
        )

    def _offer(self, close: Close) -> Record:
        def is_over(record: Record) -> bool:
            return record.offer.state in OFFER_OVER

        survey_id = str(close.conversation_id)
        if self._case.journey == "offer":
            self._crash(self._zygote.close(self._place, self._case.point, close, self._terms))
        if self._case.journey != "offer" or self._case.point.name == "records.accept":
            # Nobody said 2xx, so Dixa sends it again.
            self._normal.take_close(close, self._terms)
        return self._go_on(survey_id, is_over, crashed=self._case.journey == "offer")

    def _answer(self, record: Record) -> Record:
        def is_over(record: Record) -> bool:
            return record.answer is not None and record.answer.state in ANSWER_OVER

        link = Link.to(record)
        scores = {kind: SCORES[kind] for kind in self._case.ratings}
        if self._case.journey == "answer":
            token = self._normal.links.sign(link)
            self._crash(self._zygote.answer(self._place, self._case.point, token, self._terms, scores))
        if self._case.journey != "answer" or self._case.point.name == "records.save_answer":
            # No thanks were shown, so the customer posts again.
            self._normal.take_answer(link, self._terms, scores)
        return self._go_on(record.survey_id, is_over, crashed=self._case.journey == "answer")

    def _crash(self, pid: int) -> None:
        wait_until_gone(pid)
        assert self._normal.client.exists(f"{self._place.prefix}tripped"), f"never reached: {self._case}"

    def _go_on(self, survey_id: str, is_over: Callable[[Record], bool], *, crashed: bool) -> Record:
        began = monotonic()

        def step() -> Record | None:
            self._normal.step()
            record = self._normal.records.load(survey_id)
            return record if record and is_over(record) else None

        found = eventually(step)
        assert found
        if crashed:
            self._seconds = monotonic() - began
        return found

    def _close_of(self, number: int) -> Close:
        found = self._dixa.conversation(number)
        return Close(
            conversation_id=number,
            # Counted from when it is accepted: the machine may be slow.
            closed_at=datetime.now(UTC) + timedelta(minutes=1),
            channel=found.channel,
            direction=found.direction,
            requester_id=found.requester.id,
            agent_id=found.agent.id if found.agent else None,
        )


def run_crashes(seed: int, scale: Scale) -> Row:
    """Crash at all points, in the short form too."""
    cases = [*all_cases()]
    Random(seed).shuffle(cases)
    place = Place("", "", "")
    limit = (place.lease_ms + place.reconcile_after_ms) / 1000 + _NOT_SCALED_SECONDS
    outcomes = run_all(cases * (5 if scale == "long" else 1))
    slow = [each for each in outcomes if each.seconds > limit]
    for _ in range(_TRIES - 1 if scale == "short" else 0):
        # A machine under load makes one of them slow; a fault of ours makes it slow each time, also with few beside it.
        again = run_all([each.case for each in slow], at_once=2)
        outcomes += again
        slow = [each for each in again if each.seconds > limit]
    control = run_all(control_cases(), reconcile_after_ms=1, listing_lag=8.0)
    lost, doubled = sum(each.lost for each in outcomes), sum(each.doubled for each in outcomes)
    worst = max(each.seconds for each in outcomes if each in slow or each.seconds <= limit)
    harm = sum(each.doubled for each in control)
    bad = "; ".join(f"{each.case} → {each}" for each in outcomes if each.lost or each.doubled)
    return Row(
        number=2,
        fault="a crash before and after every step of both journeys",
        seed=seed,
        commit=commit(),
        shown=(
            f"{len(outcomes)} crashes at {len(all_cases())} points: lost {lost}, doubled {doubled}; recovered within "
            f"{worst:.1f} s (LEASE + RECONCILE_AFTER + 5 s: {limit:.1f} s){'; ' + bad if bad else ''}"
        ),
        control=f"RECONCILE_AFTER shorter than Dixa's list lags: doubled {harm} of {len(control)}",
        passed=not lost and not doubled and not slow and bool(harm),
    )


def control_cases() -> list[Case]:
    """Return the crashes that only a reconciliation recovers."""
    points = {"offer": "dixa.offer", "answer": "dixa.submit"}
    return [Case(journey, Point(name, "after")) for journey, name in points.items() for _ in range(3)]


def run_all(
    cases: Sequence[Case], *, reconcile_after_ms: int = 400, listing_lag: float = 0.0, at_once: int = AT_ONCE
) -> list[Outcome]:
    """Run many cases in parallel, each with a Dixa that no other one uses at the same time."""
    with ExitStack() as stack:
        server = RedisServer(Path(stack.enter_context(TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True))))
        stack.callback(server.stop)
        server.start()
        zygote = stack.enter_context(Zygote())
        free: SimpleQueue[Sandbox] = SimpleQueue()
        for _ in range(min(at_once, len(cases))):
            dixa = stack.enter_context(sandbox())
            dixa.state.listing_lag = listing_lag
            free.put(dixa)

        def run(case: Case) -> Outcome:
            dixa = free.get()
            place = Place(
                server.url, f"chaos-{uuid.uuid4().hex[:12]}:", dixa.api_url, reconcile_after_ms=reconcile_after_ms
            )
            try:
                return Crash(zygote, dixa, place, case).run()
            finally:
                dixa.faults.clear()
                free.put(dixa)

        with ThreadPoolExecutor(at_once) as pool:
            return [*pool.map(run, cases)]


ROWS: dict[int, Callable[[int, Scale], Row]] = {
    1: run_kills,
    2: run_crashes,
    5: run_outage,
    6: run_timeouts,
    7: run_late,
    10: run_standstill,
}
