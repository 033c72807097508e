"""What the journeys need of the outside world, as small protocols. Layers above implement them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from service.surveys.model import Journey, Record
from service.surveys.ratings import RatingType


class Deadline:
    """A point on the monotonic clock by which a claim's steps are over."""

    def __init__(self, budget: timedelta, conversation_id: int | None = None) -> None:
        self._at = monotonic() + budget.total_seconds()
        self.conversation_id = conversation_id
        """Which conversation a claim is about, if it may look whether Dixa is back."""
        self.has_begun = False
        """Whether a slot was taken for it: what was learnt with that would have to be asked again."""

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
    """A conversation as `GET /conversations/{id}` shows it. `channel`, `state` and `direction` as Dixa spells them.

    `link` is what it is to another conversation, such as SideConversation; `changed_at` is when the state became what
    it is. `open_until` is `transportExpiresAt`, which Dixa doesn't explain: presumably when the channel takes no more
    messages. Contact point and address are told of e-mails and contact forms only.
    """

    id: int
    channel: str
    requester_id: str
    state: str | None = None
    direction: str | None = None
    language: str | None = None
    agent_id: str | None = None
    link: str | None = None
    open_until: datetime | None = None
    is_erased: bool = False
    changed_at: datetime | None = None
    queue_id: str | None = None
    contact_point: str | None = None
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of conversation ids that a search found, and the key of the next one if there is any."""

    ids: tuple[int, ...]
    next_key: str | None


@dataclass(frozen=True, slots=True)
class Rating:
    """One element of `GET /conversations/{id}/ratings`. `status` is Dixa's: `Offered`, `Rated` and others."""

    id: str
    type: str
    status: str


@dataclass(frozen=True, slots=True)
class Message:
    """One element of `GET /conversations/{id}/messages`, as far as a delivery or a rule needs it.

    `is_automated` is a bot's, or an automatic reply.
    """

    id: str
    external_id: str | None
    direction: str | None = None
    is_automated: bool = False
    created_at: datetime | None = None


class Dixa(Protocol):
    """The calls the journeys make. Every call needs a slot, and raises a CallError unless it succeeded."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Take a turn of the shared pace, waiting at most `max_wait` for the deadline's first.

        Raises NoSlot, or DixaDown while Dixa is down.
        """

    def downtime(self, since: datetime) -> timedelta:
        """Return for how long Dixa was down from then on."""

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation: ...

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]: ...

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]: ...

    def conversation_tags(self, slot: Slot, conversation_id: int) -> tuple[str, ...]: ...

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


@dataclass(frozen=True, slots=True)
class FollowUpContext:
    """What is told of an answer. `subject` is what the action is about, such as the name of a tag.

    `before` are the scores that were told before, where it is about those.
    """

    record: Record
    subject: str = ""
    shows_comment: bool = False
    before: Mapping[RatingType, int] = field(default_factory=dict)

    @property
    def comment(self) -> str:
        """The customer's words, if they may be passed on."""
        return self.record.answered.comment if self.shows_comment else ""

    @property
    def has_comment(self) -> bool:
        """Whether there are any."""
        return self.record.answer is not None and self.record.answer.has_comment

    @property
    def is_suspect(self) -> bool:
        """Whether a machine may have sent the answer."""
        return self.record.answer is not None and self.record.answer.is_suspect


class Action(Protocol):
    """One kind of thing that follows an answer."""

    kind: str
    is_at_once: bool
    """Whether it is done while the answer can still be changed."""
    is_repeatable: bool
    """Whether it is done again when nobody knows if it was; if not, it happens at most once."""
    within: timedelta | None
    """For how long it is tried; None: for as long as an answer is."""

    def act(self, told: FollowUpContext, deadline: Deadline, *, again: bool) -> None:
        """Do it; `again`: look first, if there is where to look, for it may have been done.

        Raises a CallError: after RetryLater and OutcomeUnknown it is called again later, after Refused never.
        """


class Delivery(Protocol):
    """One way a link reaches a customer."""

    name: str
    reminds: bool
    """Whether a reminder goes this way. It is delivered as the link was, of a record that is `reminding`."""

    def can_reach(self, record: Record) -> bool:
        """Say whether this channel can reach this customer, without side effects and before any offer is made."""

    def reconcile(self, record: Record, deadline: Deadline) -> bool | None:
        """Look whether a delivery that was begun has arrived; None: nobody can tell, and another does no harm.

        Raises a CallError: Unconfirmable when nobody can tell, and another must not be.
        """

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Bring the link to the customer. One that was begun before is looked for first.

        Raises a CallError; after OutcomeUnknown or RetryLater it is called again later, after Refused the next
        channel is, and Unconfirmable counts as delivered.
        """


class Mailings(Protocol):
    """Where it is written that a mail is being handed over, and that it may be out, for good."""

    def lengthen(self, survey_id: str) -> bool:
        """Keep the survey for as long as a mail may take; False if it is somebody else's now."""

    def mailing(self, survey_id: str) -> bool:
        """Write that a mail is about to be handed over; False if it must not be. Raises RecordsUnavailable."""


class Stops(Protocol):
    """Who wants no surveys any more."""

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Say whether this requester has stopped them, or whoever else is this person. Raises RecordsUnavailable."""


class Queue(Protocol):
    """Where a task is queued for a survey that is due at once. Losing it is harmless: the relay queues it later."""

    def hint(self, journey: Journey, survey_id: str) -> None:
        """Queue a task, in 0.3 s or not at all; never raises."""
