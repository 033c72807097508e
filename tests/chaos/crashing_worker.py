"""A worker made of the real parts, which kills or stops itself at a given point.

`python -m tests.chaos.crashing_worker` waits for jobs on its input, a line each, and forks a child for every one: all
has been imported by then, so a crash costs milliseconds. It answers with the child's process id.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from threading import Event, Lock
from time import monotonic
from typing import Any, Self, cast

import psutil
import redis

from config.settings import Timings
from service.delivery.message import MessageDelivery
from service.dixa.client import DixaClient
from service.dixa.outage import Outage, RelayPace
from service.dixa.pace import SharedPace
from service.dixa.token_check import TokenCheck
from service.intake.intake import Intake
from service.journeys.answer import AnswerJourney
from service.journeys.delivery import LinkSender
from service.journeys.offer import OfferJourney
from service.journeys.runner import JourneyRunner
from service.records.answer_transitions import GivenAnswer
from service.records.channels import Channels
from service.records.codec import dump_close, load_close
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.records.tasks import QUEUE, read_task
from service.records.terms_codec import dump_terms, load_terms
from service.rules.identity import Identities
from service.rules.suppression import SuppressionPolicy
from service.sessions import new_session
from service.surveys.definition import Survey
from service.surveys.links import Link, Links
from service.surveys.model import Close
from service.surveys.ports import FIRST_SLOT_MAX_WAIT, Deadline, Delivery, Slot
from service.surveys.ratings import RatingType
from tests.polling import eventually
from tests.processes import API_TOKEN, ROOT, SECRET_KEY, patient
from workers.relay import Relay

_LONGEST_LIFE_SECONDS = 120.0
_ROOM = 16


@dataclass(frozen=True, slots=True)
class Point:
    """Right before or after the `nth` call of a method, such as `records.begin_call`; the worker gets `signal`."""

    name: str
    when: str
    nth: int = 1
    signal: int = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.when} {self.name}" + (f" {self.nth}" if self.nth > 1 else "")


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's Redis, Dixa and key prefix."""

    redis_url: str
    prefix: str
    dixa_url: str
    reconcile_after_ms: int = 400
    lease_ms: int = 1600
    backoff_ms: tuple[int, int] = (20, 200)
    never_too_late: bool = False
    unpaced: bool = False

    @property
    def timings(self) -> Timings:
        lease = timedelta(milliseconds=self.lease_ms)
        return Timings(
            lease=lease,
            step_budget=lease / 2,
            reconcile_after=timedelta(milliseconds=self.reconcile_after_ms),
            requeue_after=lease / 2,
            backoff_min=timedelta(milliseconds=self.backoff_ms[0]),
            backoff_max=timedelta(milliseconds=self.backoff_ms[1]),
            recovery_wait=timedelta(milliseconds=1),
        )


class Tripwire:
    """Sends the worker its signal at its point, once, and records that in Redis."""

    def __init__(self, client: redis.Redis, prefix: str, point: Point | None) -> None:
        self._client = client
        self._key = f"{prefix}tripped"
        self._point = point
        self._lock = Lock()
        self._seen = 0

    def watch(self, name: str, subject: Any) -> Any:
        return _Watched(name, subject, self)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        point = self._point
        if point is None or point.name != name:
            return call()
        with self._lock:
            self._seen += 1
            is_it = self._seen == point.nth
        if is_it and point.when == "before":
            self._trip(point)
        try:
            return call()
        finally:
            if is_it and point.when == "after":
                self._trip(point)

    def _trip(self, point: Point) -> None:
        self._client.set(self._key, str(point))
        os.kill(os.getpid(), point.signal)


class _Watched:
    """Forwards all calls, with the tripwire before and after."""

    def __init__(self, name: str, subject: Any, tripwire: Tripwire) -> None:
        self._name = name
        self._subject = subject
        self._tripwire = tripwire

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._subject, method)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._tripwire.around(f"{self._name}.{method}", lambda: found(*args, **kwargs))


class _Endless(Deadline):
    """A control's client: begins a call after its deadline, too."""

    def remaining(self) -> float:
        return 10.0


class _Unpaced(SharedPace):
    """A control's pace: no limit."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta, outage_keys: Sequence[str] = ()) -> Slot:
        return Slot(API_TOKEN, deadline)

    def count_free(self, *within: timedelta, outage_keys: Sequence[str] = ()) -> list[int]:
        return [_ROOM for _ in within]

    def pause(self, length: timedelta) -> None:
        """Go on."""


class _Patient(DixaClient):
    def take_slot(self, deadline: Deadline, max_wait: timedelta = FIRST_SLOT_MAX_WAIT) -> Slot:
        return replace(super().take_slot(deadline, max_wait), deadline=_Endless(timedelta()))


class Worker:
    """Web and worker in one: takes closes and answers, relays, and runs both journeys."""

    def __init__(self, place: Place, point: Point | None = None, **pace: Any) -> None:
        client = patient(place.redis_url)
        timings, prefix = place.timings, place.prefix
        watch = Tripwire(client, prefix, point).watch
        kept = Records(client, lease=timings.lease, keep=timings.record_retention, prefix=prefix)
        wanted = {"rate": 1000.0, "burst": 100} | pace
        shared = (_Unpaced if place.unpaced else SharedPace)(
            client, [API_TOKEN], wait=Event().wait, prefix=prefix, **wanted
        )
        check = TokenCheck(client, timings.token_retry_after, prefix=prefix)
        # As shipped: a probe of Dixa is due as often as BACKOFF_MIN allows.
        outage = Outage(client, probe_interval=timings.backoff_min, on_recovery=kept.end_backoff, prefix=prefix)
        kind = _Patient if place.never_too_late else DixaClient
        asks = kind(new_session("chaos"), place.dixa_url, shared, check, outage=None if place.unpaced else outage)
        self.client = client
        self.records = cast("Records", watch("records", kept))
        dixa = cast("DixaClient", watch("dixa", asks))
        self.links = links = Links([SECRET_KEY], "https://survey.example")
        deliveries: dict[str, Delivery] = {"message": MessageDelivery(dixa)}
        self._identities = Identities([SECRET_KEY])
        suppression = SuppressionPolicy(HashedOptOuts(client, prefix=prefix), self._identities)
        sender = LinkSender(self.records, links, deliveries, suppression, Channels(client, prefix=prefix))
        journeys = (
            OfferJourney(sender),
            AnswerJourney(self.records),
        )
        self._runners = {each.journey: JourneyRunner(each, self.records, dixa, timings) for each in journeys}
        self._relay = Relay(self.records, timings, shared if place.unpaced else RelayPace(shared, outage))
        self._queue_key = f"{prefix}{QUEUE}"

    def take_close(self, close: Close, terms: Survey) -> None:
        Intake(self.records, [terms], None, self._identities).take_close(close)

    def take_answer(self, link: Link, terms: Survey, scores: dict[RatingType, int]) -> None:
        intake = Intake(self.records, [terms], None, self._identities)
        intake.take_answer(GivenAnswer(link, terms, scores, "Tak", "en"))

    def step(self) -> None:
        """Relay once, and run the tasks."""
        self._relay.relay_once(_ROOM)
        while text := self.client.rpop(self._queue_key):
            journey, survey_id = read_task(json.loads(str(text)))
            self._runners[journey].run(survey_id)


class Zygote:
    """The process that forks crashing workers. Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        command = [sys.executable, "-m", "tests.chaos.crashing_worker"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(_LONGEST_LIFE_SECONDS)
        self._process.stdout.close()

    def close(self, place: Place, point: Point, close: Close, terms: Survey) -> int:
        """Let a worker take a webhook, and continue to its point."""
        return self._fork(place, point, close=[close.conversation_id, dump_close(close)], terms=dump_terms(terms))

    def answer(self, place: Place, point: Point, token: str, terms: Survey, scores: dict[RatingType, int]) -> int:
        """Let a worker take an answer, and continue to its point."""
        return self._fork(
            place, point, answer=[token, {str(kind): score for kind, score in scores.items()}], terms=dump_terms(terms)
        )

    def _fork(self, place: Place, point: Point, **job: Any) -> int:
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            line = json.dumps({"place": asdict(place), "point": asdict(point), **job})
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that isn't our child: until its id is gone."""
    eventually(lambda: not psutil.pid_exists(pid), within=_LONGEST_LIFE_SECONDS + 5)


def wait_until_stopped(pid: int) -> None:
    eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, within=_LONGEST_LIFE_SECONDS)


def _live(job: dict[str, Any]) -> None:
    """Run a worker until it reaches the point, or until all work is done."""
    worker = Worker(Place(**job["place"]), Point(**job["point"]))
    terms = load_terms(job["terms"])
    if "close" in job:
        worker.take_close(load_close(*job["close"]), terms)
    if "answer" in job:
        token, scores = job["answer"]
        worker.take_answer(worker.links.read(token), terms, {RatingType(kind): score for kind, score in scores.items()})
    ends_at = monotonic() + _LONGEST_LIFE_SECONDS
    while monotonic() < ends_at and os.getppid() != 1 and not worker.client.exists(f"{job['place']['prefix']}over"):
        worker.step()
        Event().wait(0.01)


def main(lines: Sequence[str] | Any = sys.stdin) -> None:
    # No one waits for these children: let the kernel remove them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in lines:
        pid = os.fork()
        if not pid:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                _live(json.loads(line))
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
