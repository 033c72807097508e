"""What the journeys need of the world outside, as small protocols, and how it can fail. Implemented by the edges."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from config.surveys import RatingType
from service.surveys.model import Journey, Record


class DixaError(Exception):
    """A call to Dixa did not do what was asked. The three kinds differ in what the caller should do next.

    DixaError
    ├── DixaUnavailable  again later: it certainly did not happen (or was only a question)
    │   └── NoSlot       the shared pace has no room now
    ├── DixaUnknown      it may have happened: look before doing it again
    └── DixaRefused      again is useless
    """


class DixaUnavailable(DixaError):
    """Nothing happened; try again, not before `retry_in` if that is known."""

    def __init__(self, problem: str, retry_in: timedelta | None = None) -> None:
        super().__init__(problem)
        self.retry_in = retry_in


class NoSlot(DixaUnavailable):
    """The pace is used up for longer than the caller wants to wait."""


class DixaUnknown(DixaError):
    """The call was sent and its outcome is not known."""


class DixaRefused(DixaError):
    """Dixa said no (a 4xx); `status` is the HTTP status."""

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(problem)
        self.status = status


class Deadline:
    """A point on the monotonic clock by which a claim's steps are over."""

    def __init__(self, budget: timedelta) -> None:
        self._at = monotonic() + budget.total_seconds()

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - monotonic())


@dataclass(frozen=True, slots=True)
class Slot:
    """Leave for one call now, with one token, to be finished by the deadline. Only the client looks inside."""

    token: str
    deadline: Deadline

    def __repr__(self) -> str:
        return "Slot()"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as `GET /conversations/{id}` shows it. `channel`, `state` and `direction` as Dixa spells them."""

    id: int
    channel: str
    requester_id: str
    state: str | None = None
    direction: str | None = None
    language: str | None = None
    agent_id: str | None = None
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class Rating:
    """One element of `GET /conversations/{id}/ratings`. `status` is Dixa's: `Offered`, `Rated` and others."""

    id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class Message:
    """One element of `GET /conversations/{id}/messages`, as far as a delivery needs it."""

    id: str
    external_id: str | None


class Dixa(Protocol):
    """The calls the journeys make. Every call needs a slot, and raises a DixaError unless it succeeded."""

    def slot(self, deadline: Deadline, patience: timedelta) -> Slot:
        """Take a turn of the shared pace, waiting at most `patience`. Raises NoSlot."""

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation: ...

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]: ...

    def offer(
        self,
        slot: Slot,
        conversation_id: int,
        rating: RatingType,
        *,
        user_id: str,
        agent_id: str | None,
        offered_at: datetime,
    ) -> str:
        """Make a rating offer; returns its rating id."""

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
    ) -> None: ...


class Delivery(Protocol):
    """One way a link reaches a customer."""

    name: str

    def can_reach(self, record: Record) -> bool:
        """Say whether this channel can reach this customer, without side effects and before any offer is made."""

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Bring the link to the customer, once: a record that is already `delivering` may have been delivered.

        Raises a DixaError; after DixaUnknown or DixaUnavailable it is called again later.
        """


class Queue(Protocol):
    """Where a task is queued for a survey that is due at once. Losing it is harmless: the relay queues it later."""

    def hint(self, journey: Journey, survey_id: str) -> None:
        """Queue a task, in 0.3 s or not at all; never raises."""
