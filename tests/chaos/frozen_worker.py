"""Row 10: connections are cut every second, and workers are stopped for longer than their lease."""

import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic
from typing import Literal

from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Close, Record
from service.surveys.ratings import RatingType
from service.surveys.states import Journey
from tests.chaos.crashing_worker import Place, Point, Worker, Zygote, wait_until_gone, wait_until_stopped
from tests.chaos.customers import Customers, Verdict
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import Cluster, of_the_procfile, running
from tests.harness import ANSWER_OVER, OFFER_OVER
from tests.polling import eventually
from tests.processes import RedisServer
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]

TERMS = Survey(delay=timedelta(), editable_for=timedelta())
CALLS = {Journey.OFFER: "dixa.offer", Journey.ANSWER: "dixa.submit"}


@dataclass(frozen=True, slots=True)
class Standstills:
    """The outcome of conversations with a worker stopped between `begin_call` and the call."""

    conversations: int
    lost: int
    doubled: int


def run_standstill(seed: int, scale: Scale) -> Row:
    """Cut connections under load; stop workers between mark and call, let others take over, and wake them."""
    seconds, copies = (8.0, 1) if scale == "short" else (120.0, 10)
    with ThreadPoolExecutor(3) as beside:
        # They wait more than they work.
        standstills = beside.submit(run_standstills, copies, never_too_late=False)
        harmed = beside.submit(run_standstills, 1, never_too_late=True)
        cuts, verdict, is_over = cut_connections(seed, seconds)
        ours, control = standstills.result(), harmed.result()
    return Row(
        number=10,
        fault="CLIENT KILL of all connections every second; SIGSTOP between mark and call for longer than the lease",
        seed=seed,
        commit=commit(),
        shown=(
            f"{cuts} × CLIENT KILL: {verdict}; "
            f"{ours.conversations} workers stopped: lost {ours.lost}, doubled {ours.doubled}"
        ),
        control=f"a client that begins a call after its time: doubled {control.doubled} of {control.conversations}",
        passed=verdict.is_clean and is_over and not ours.lost and not ours.doubled and control.doubled > 0,
    )


def cut_connections(seed: int, seconds: float) -> tuple[int, Verdict, bool]:
    """Run surveys while all connections to Redis are cut once a second."""
    random = Random(seed)
    with (
        sandbox() as dixa,
        running(dixa.api_url, of_the_procfile()) as cluster,
        Customers(dixa, cluster.webhook_url, random) as customers,
    ):
        customers.close(1, 1.0)
        eventually(customers.is_served)
        closing = Thread(target=customers.close, args=(int(seconds * 6), 6.0))
        closing.start()
        cuts = _cut(cluster, seconds)
        closing.join()
        is_over = _is_in_time(customers)
        return cuts, customers.verdict(), is_over


def _cut(cluster: Cluster, seconds: float) -> int:
    client, cuts, ends_at = cluster.client(), 0, monotonic() + seconds
    while monotonic() < ends_at:
        Event().wait(1)
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
        cuts += 1
    client.close()
    return cuts


def _is_in_time(customers: Customers) -> bool:
    try:
        return eventually(customers.is_served)
    except AssertionError:
        return False


def run_standstills(copies: int, *, never_too_late: bool) -> Standstills:
    """Stop a worker right after its mark, or right before its call; wake it when another one is done."""
    points = [
        (journey, *point)
        for journey, call in CALLS.items()
        for point in (("records.begin_call", "after"), (call, "before"))
    ]
    with ExitStack() as stack:
        server = RedisServer(Path(stack.enter_context(TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True))))
        stack.callback(server.stop)
        server.start()
        zygote = stack.enter_context(Zygote())

        def run(given: tuple[Journey, str, str]) -> Standstills:
            journey, name, when = given
            with sandbox() as dixa:
                prefix = f"chaos-{uuid.uuid4().hex[:12]}:"
                place = Place(server.url, prefix, dixa.api_url, never_too_late=never_too_late)
                return Stop(zygote, dixa, place, journey, Point(name, when, signal=signal.SIGSTOP)).run()

        with ThreadPoolExecutor(8) as pool:
            outcomes = [*pool.map(run, points * copies)]
    return Standstills(len(outcomes), sum(each.lost for each in outcomes), sum(each.doubled for each in outcomes))


class Stop:
    """One conversation with a worker that is stopped once."""

    def __init__(self, zygote: Zygote, dixa: Sandbox, place: Place, journey: Journey, point: Point) -> None:
        self._zygote = zygote
        self._dixa = dixa
        self._place = place
        self._journey = journey
        self._point = point
        self._other = Worker(place)

    def run(self) -> Standstills:
        number = self._dixa.make_conversation()
        self._dixa.close(number)
        found = self._dixa.conversation(number)
        assert found.agent
        close = Close(
            number, datetime.now(UTC), "Email", "Inbound", requester_id=found.requester.id, agent_id=found.agent.id
        )
        if self._journey is Journey.OFFER:
            stopped = self._zygote.close(self._place, self._point, close, TERMS)
            wait_until_stopped(stopped)
            record = self._take_over(str(number))
            self._wake(stopped)
            self._other.take_answer(Link.to(record), TERMS, {RatingType.CSAT: 4})
        else:
            self._other.take_close(close, TERMS)
            record = self._take_over(str(number))
            token = self._other.links.sign(Link.to(record))
            stopped = self._zygote.answer(self._place, self._point, token, TERMS, {RatingType.CSAT: 4})
            wait_until_stopped(stopped)
            self._take_over(str(number), answered=True)
            self._wake(stopped)
        self._take_over(str(number), answered=True)
        return self._result(number)

    def _take_over(self, survey_id: str, *, answered: bool = False) -> Record:
        def step() -> Record | None:
            self._other.step()
            record = self._other.records.load(survey_id)
            if record is None or record.offer.state not in OFFER_OVER:
                return None
            is_answered = record.answer is not None and record.answer.state in ANSWER_OVER
            return record if is_answered or not answered else None

        found = eventually(step)
        assert found
        return found

    def _wake(self, pid: int) -> None:
        """Continue the stopped worker, and wait for its end."""
        os.kill(pid, signal.SIGCONT)
        Event().wait(1)
        self._other.client.set(f"{self._place.prefix}over", 1)
        wait_until_gone(pid)

    def _result(self, number: int) -> Standstills:
        offers, results = len(self._dixa.offers(number)), len(self._dixa.results(number))
        sent = sum(each.direction == "Outbound" for each in self._dixa.messages(number))
        doubled = max(0, offers - 1) + max(0, sent - 1) + len(self._dixa.report.double_submits)
        return Standstills(1, int(not offers or not results or not sent), doubled)
