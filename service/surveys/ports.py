"""Protocols for the outside world of the journeys. Layers above implement them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from service.surveys.model import Record
from service.surveys.ratings import RatingType


class Deadline:
    """The end of a claim's time, on the monotonic clock."""

    def __init__(self, budget: timedelta, conversation_id: int | None = None) -> None:
        self._at = monotonic() + budget.total_seconds()
        self.conversation_id = conversation_id
        """The conversation of the claim, if the claim may probe Dixa during an outage."""
        self.has_begun = False
        """Whether the claim has taken a slot. If it stopped now, that call would have to be repeated."""

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - monotonic())


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission for one call now, with one token, by the deadline. Its fields are for the client only."""

    token: str
    deadline: Deadline
    may_follow_failure: bool = True
    """Whether a failed call of any process may have been on record when the slot was taken."""

    def __repr__(self) -> str:
        return "Slot()"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of `GET /conversations/{id}`. `channel`, `state` and `direction` have Dixa's spelling.

    `link` is its relation to another conversation, such as SideConversation. `changed_at` is the time of the last
    change of state. `open_until` is `transportExpiresAt`. Dixa does not explain it; presumably the channel accepts no
    messages afterwards. Only e-mails and contact forms have a contact point and an address.
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
class EndUser:
    """The address and the number of `GET /endusers/{id}`, as Dixa has them."""

    id: str
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of conversation ids found by a search, and the key of the next page, if any."""

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
    """One element of `GET /conversations/{id}/messages`. Messages of bots and automatic replies have `is_automated`."""

    id: str
    external_id: str | None
    direction: str | None = None
    is_automated: bool = False
    created_at: datetime | None = None


FIRST_SLOT_MAX_WAIT = timedelta(seconds=1)
"""The longest wait for the first slot of a claim."""


class Dixa(Protocol):
    """The calls of journeys, deliveries and actions. Each needs a slot, and raises a CallError unless it succeeds."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta = FIRST_SLOT_MAX_WAIT) -> Slot:
        """Take a slot of the rate limit, waiting at most `max_wait` for the first one of the deadline's claim.

        Raises NoSlot, or DixaDown during an outage.
        """

    def downtime(self, since: datetime) -> timedelta:
        """Return the total length of Dixa's outages since a time."""

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
        """Make a rating offer. Returns its rating id."""

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

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """Add an outbound message. Dixa refuses a second one with the same `external_id` with 400."""

    def close(self, slot: Slot, conversation_id: int, *, user_id: str) -> None: ...

    def notes(self, slot: Slot, conversation_id: int) -> tuple[str, ...]: ...

    def add_note(self, slot: Slot, conversation_id: int, text: str) -> None: ...

    def tags(self, slot: Slot) -> Mapping[str, str]:
        """Return the ids of the organization's tags by name."""

    def add_tag(self, slot: Slot, conversation_id: int, tag_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class FollowUpContext:
    """The facts for one action after an answer. `subject` is the action's own, such as the name of a tag.

    `before` are the scores of the alert, for its correction.
    """

    record: Record
    subject: str = ""
    shows_comment: bool = False
    before: Mapping[RatingType, int] = field(default_factory=dict)

    @property
    def comment(self) -> str:
        """The customer's comment, or "" if the action may not show it."""
        return self.record.answered.comment if self.shows_comment else ""

    @property
    def has_comment(self) -> bool:
        """Whether the customer has written a comment."""
        return self.record.answer is not None and self.record.answer.has_comment

    @property
    def is_suspect(self) -> bool:
        """Whether a machine may have sent the answer."""
        return self.record.answer is not None and self.record.answer.is_suspect


class Action(Protocol):
    """An action after an answer."""

    kind: str
    is_immediate: bool = False
    """Whether it runs while the customer can still change the answer."""
    is_repeatable: bool = True
    """Whether it runs again after an unknown outcome. If not, it runs at most once."""
    max_age: timedelta | None = None
    """For how long it is retried. None means as long as an answer."""

    def act(self, context: FollowUpContext, deadline: Deadline, *, is_retry: bool) -> None:
        """Run the action. With `is_retry`, it may have run before, so reconcile first if possible.

        Raises a CallError. It is called again after RetryLater and OutcomeUnknown, but not after Refused.
        """


class Delivery(Protocol):
    """A channel for links to customers."""

    name: str
    sends_reminders: bool = False
    """Whether it sends reminders. A reminder is delivered like the link, for a record in the state `reminding`."""

    def can_reach(self, record: Record) -> bool:
        """Return whether this channel can reach this customer. Called before an offer is made."""

    def reconcile(self, record: Record, deadline: Deadline) -> bool | None:
        """Return whether a delivery begun earlier has arrived. None: unknown, but a second one does no harm.

        Raises a CallError: Unconfirmable if it is unknown, and a second one must not be made.
        """

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the link to the customer. After a delivery begun earlier, `reconcile` is called first.

        Raises a CallError. It is called again after OutcomeUnknown and RetryLater; after Refused the next channel is
        called; Unconfirmable counts as delivered.
        """


class Mailings(Protocol):
    """Records the stages of sending an e-mail."""

    def extend_lease(self, survey_id: str) -> bool:
        """Extend the lease to the e-mail's budget. Return False if another worker has the survey now."""

    def begin_email(self, survey_id: str) -> bool:
        """Record that an e-mail is about to be sent. Return False if it must not be. Raises RecordsUnavailable."""


class OptOuts(Protocol):
    """The opt-outs of all customers."""

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Return whether this requester, or one of these hashes, has opted out. Raises RecordsUnavailable."""
