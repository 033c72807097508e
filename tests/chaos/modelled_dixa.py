"""Row 12's Dixa and delivery. They remember all calls, and raise for a wrong one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any, Protocol

from greenlet import getcurrent  # type: ignore[import-untyped]

from config.settings import Timings
from service.dixa.errors import NoSlot
from service.surveys.errors import OutcomeUnknown, Refused, RetryLater
from service.surveys.links import Link
from service.surveys.model import Record
from service.surveys.ports import FIRST_SLOT_MAX_WAIT, Conversation, Deadline, Message, Rating, Slot
from service.surveys.ratings import RatingType

TIMINGS = Timings(
    recovery_wait=timedelta(),
    backoff_min=timedelta(seconds=1),
    backoff_max=timedelta(seconds=1),
    # The model moves the due times, but not the times of events.
    dixa_lag=timedelta(),
)
RECONCILE_AFTER = TIMINGS.reconcile_after.total_seconds()


class Violation(AssertionError):
    """A promise is broken."""


def require(holds: object, problem: str) -> None:
    if not holds:
        raise Violation(problem)


class Fate(StrEnum):
    """The fate of a worker's next script or call."""

    DONE = "done"
    LOST_BEFORE = "lost before it happened"
    LOST_AFTER = "lost after it happened"
    UNAVAILABLE = "certainly not done"
    REFUSED = "refused"
    LATE = "executed late"
    TOO_LATE = "executed later than RECONCILE_AFTER"
    CRASH = "the worker dies"


@dataclass
class Sent:
    """A call in Dixa that must not be repeated. `executed_at` is None before its execution."""

    subject: tuple[str, RatingType]
    at: float
    is_refused: bool = False
    executed_at: float | None = None


def pause() -> Fate:
    """Pause until the model decides the fate of the next step. Only workers pause."""
    here = getcurrent()
    return here.parent.switch() if hasattr(here, "worker") else Fate.DONE


class Scene(Protocol):
    """The parts of the world that Dixa needs."""

    now: float
    links: list[Link]
    is_reopened: bool
    expected: dict[RatingType, int]
    comment: str


class ModelledDelivery:
    """Delivers the link to the customer. The message's key prevents duplicates."""

    name = "message"
    sends_reminders = True

    def __init__(self, world: Scene) -> None:
        self._world = world

    def can_reach(self, record: Record) -> bool:
        return True

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        if pause() is not Fate.DONE:
            raise RetryLater("not looked")
        return any(link.offers == record.offers for link in self._world.links)

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        fate = pause()
        if fate is Fate.UNAVAILABLE:
            raise RetryLater("not sent")
        if fate is Fate.REFUSED:
            raise Refused("no", 400)
        if fate in (Fate.DONE, Fate.LOST_AFTER):
            self._world.links.append(Link.to(record))
        if fate is not Fate.DONE:
            raise OutcomeUnknown("lost")


class ModelledDixa:
    """A Dixa that remembers all calls, and raises for a wrong one."""

    def __init__(self, world: Scene) -> None:
        self._world = world
        self._ids = count(1)
        self.known: dict[str, Rating] = {}
        self.results: list[tuple[RatingType, int]] = []
        self._sent: list[Sent] = []
        self._late: list[tuple[float, Sent, Callable[[], object]]] = []

    def catch_up(self) -> None:
        """Execute the late calls that are due."""
        for due in [each for each in self._late if each[0] <= self._world.now]:
            self._late.remove(due)
            due[1].executed_at = due[0]
            due[2]()

    def take_slot(self, deadline: Deadline, max_wait: timedelta = FIRST_SLOT_MAX_WAIT) -> Slot:
        if pause() not in (Fate.DONE, Fate.LOST_AFTER) or self._left() < 5:
            raise NoSlot("no slot", timedelta())
        return Slot("token", deadline)

    def downtime(self, since: datetime) -> timedelta:
        return timedelta()

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation:
        self._ask()
        state = "Open" if self._world.is_reopened else "Closed"
        return Conversation(conversation_id, "Email", "customer", state=state, agent_id="agent")

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]:
        self._ask()
        return tuple(self.known.values())

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        self._ask()
        return ()

    def conversation_tags(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        self._ask()
        return ()

    def offer(self, slot: Slot, conversation_id: int, rating: RatingType, **facts: Any) -> str:
        made: list[str] = []

        def execute() -> None:
            made.append(f"{rating}-{next(self._ids)}")
            self.known[made[0]] = Rating(made[0], rating, "Offered")

        self._act(("offer", rating), execute)
        return made[0]

    def submit(
        self,
        slot: Slot,
        conversation_id: int,
        rating_id: str,
        *,
        rating: RatingType,
        score: int,
        comment: str,
        submitted_at: datetime,
    ) -> None:
        world = self._world
        is_first = rating is next(iter(world.expected), None)
        said = (world.expected.get(rating), world.comment if is_first else "")
        is_rated = self.known[rating_id].status == "Rated"

        def execute() -> None:
            if self.known[rating_id].status != "Rated":
                self.known[rating_id] = Rating(rating_id, rating, "Rated")
                self.results.append((rating, score))

        self._act(
            ("submit", rating), execute, lambda: require((score, comment) == said, f"{(score, comment)}, not {said}")
        )
        if is_rated:
            raise Refused("rated before", 400)

    def _ask(self) -> None:
        fate = pause()
        if fate is Fate.REFUSED:
            raise Refused("no", 404)
        if fate not in (Fate.DONE, Fate.LOST_AFTER) or self._left() <= 0:
            raise RetryLater("no answer")

    def _act(
        self, subject: tuple[str, RatingType], execute: Callable[[], None], check: Callable[[], object] = bool
    ) -> None:
        fate = pause()
        if fate is Fate.UNAVAILABLE or self._left() <= 0:
            raise RetryLater("not sent")
        check()
        self._assert_alone(subject)
        sent = Sent(subject, self._world.now)
        self._sent.append(sent)
        if fate is Fate.REFUSED:
            sent.is_refused = True
            raise Refused("no", 400)
        if fate in (Fate.LATE, Fate.TOO_LATE):
            self._late.append((self._world.now + (35 if fate is Fate.LATE else 70), sent, execute))
        elif fate is not Fate.LOST_BEFORE:
            sent.executed_at = self._world.now
            execute()
        if fate is not Fate.DONE:
            raise OutcomeUnknown("lost")

    def _assert_alone(self, subject: tuple[str, RatingType]) -> None:
        """Check that no earlier call of this kind is in flight or was executed within RECONCILE_AFTER."""
        for earlier in self._sent:
            if earlier.subject == subject and not earlier.is_refused:
                require(
                    self._world.now >= earlier.at + RECONCILE_AFTER, f"a second {subject[0]} while one is in flight"
                )
                is_executed = earlier.executed_at is not None and earlier.executed_at < earlier.at + RECONCILE_AFTER
                require(not is_executed, f"a second {subject[0]} after one that was executed")

    def _left(self) -> float:
        began: float = getcurrent().worker.began
        return TIMINGS.step_budget.total_seconds() - (self._world.now - began)
