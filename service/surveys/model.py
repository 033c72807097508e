"""The nouns of the story: a close, a survey's record, its offers and its answer. No behaviour beyond reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from service.surveys.definition import Survey
from service.surveys.ratings import RatingType

UNCONFIRMED = "unconfirmed"
"""The note of a delivery that was handed over, and whose outcome nobody knows."""

UNCONFIRMED = "unconfirmed"
"""The note of a delivery that was handed over and whose outcome nobody knows."""


class Journey(StrEnum):
    """The stories of a survey. Each has its own state, lease and due set in the same record."""

    OFFER = "offer"
    ANSWER = "answer"
    FOLLOW_UP = "follow_up"


class OfferState(StrEnum):
    """Where the offer's journey stands; `unknown` means that a call was sent and its answer was lost.

    A survey that is `reminding` is with the customer, and a reminder is due later.
    """

    WAITING = "waiting"
    DECIDING = "deciding"
    OFFERING = "offering"
    UNKNOWN = "unknown"
    OFFERED = "offered"
    DELIVERING = "delivering"
    REMINDING = "reminding"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Verdict(StrEnum):
    """What is decided about a survey that is due. The values are those of decide.lua, offer states save for `ask`."""

    ASK = "ask"
    WAIT = "waiting"
    SKIP = "skipped"
    CANCEL = "cancelled"


class AnswerState(StrEnum):
    """Where the answer's journey stands; an `editable` answer can still be changed by the customer."""

    EDITABLE = "editable"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    FAILED = "failed"


class FollowUpState(StrEnum):
    """Where the journey of what follows an answer stands; it is `failed` when an action has failed for good."""

    FOLLOWING = "following"
    FOLLOWED = "followed"
    FAILED = "failed"


class ActionState(StrEnum):
    """Where one action stands; one that is `waiting` certainly did not happen yet, one that is `begun` may have."""

    WAITING = "waiting"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a survey was not sent, or why a journey failed. A closed list: docs/reasons.md explains each."""

    CHANNEL = "channel"
    QUEUE = "queue"
    DIRECTION = "direction"
    TAG_EXCLUDED = "tag_excluded"
    TAG_MISSING = "tag_missing"
    UNASSIGNED = "unassigned"
    NOT_SAMPLED = "not_sampled"
    NO_SURVEY_MATCHES = "no_survey_matches"
    UNREACHABLE = "unreachable"
    ALREADY_SURVEYED = "already_surveyed"
    TOO_LATE = "too_late"
    REOPENED = "reopened"
    ERASED = "erased"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    OPTED_OUT = "opted_out"
    BEFORE_START = "before_start"
    CONTACT_POINT = "contact_point"
    LANGUAGE = "language"
    USER_TYPE = "user_type"
    ADDRESS = "address"
    ASSIGNEE_TYPE = "assignee_type"
    FEW_CUSTOMER_MESSAGES = "few_customer_messages"
    FEW_AGENT_MESSAGES = "few_agent_messages"
    INTERNAL = "internal"
    MEMBER = "member"
    MACHINE = "machine"
    SIDE_CONVERSATION = "side_conversation"
    ASKED_RECENTLY = "asked_recently"
    DAILY_CAP = "daily_cap"
    NOTHING_NEW = "nothing_new"
    CLOSED_AGAIN = "closed_again"


@dataclass(frozen=True, slots=True)
class Close:
    """What is kept of a `CONVERSATION_CLOSED` event: only what a later step needs.

    Channel and direction are in the API's spelling; ids are Dixa's; tags are None if none were told. The one
    personal thing is the requester's address: kept only for a survey that may go out by e-mail, and only until the
    offer's journey is over, or for a retry if it has failed. `person` are keyed hashes of the requester's id, address
    and number; `email_hashes` and `phone_hashes` are those of the address and the number. `odd_email` is an address
    of Dixa's that no mail can be sent to: the rules look at it, and it isn't kept.
    """

    conversation_id: int
    closed_at: datetime
    channel: str | None = None
    direction: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    contact_point: str | None = None
    requester_id: str | None = None
    user_type: str | None = None
    agent_id: str | None = None
    assignee_type: str | None = None
    tags: tuple[str, ...] | None = ()
    event_id: str = ""
    person: tuple[str, ...] = ()
    email_hashes: tuple[str, ...] = ()
    phone_hashes: tuple[str, ...] = ()
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    odd_email: str | None = field(default=None, repr=False)

    def day_in(self, zone: ZoneInfo) -> date:
        """The day on which it was closed, where this is the time."""
        return self.closed_at.astimezone(zone).date()


class ChangeKind(StrEnum):
    """What happened to a conversation, as far as a survey that waits must know."""

    REOPENED = "reopened"
    RATED = "rated"


@dataclass(frozen=True, slots=True)
class Change:
    """What is kept of an event that isn't a close."""

    conversation_id: int
    kind: ChangeKind
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class RuleMismatch:
    """Why a survey isn't for a conversation: a rule, as surveys.toml spells it, and the fact that it met.

    A rule that holds for all surveys has no name, and neither has the survey then.
    """

    survey: str
    reason: Reason
    rule: str
    fact: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A rating offer that Dixa has made for a survey."""

    rating: RatingType
    rating_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a customer said: a score for at least one of the rating types asked, and perhaps a comment."""

    scores: Mapping[RatingType, int]
    comment: str
    language: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and what it rests on. WAIT is decided again at `due_at`.

    `survey` is the one that was chosen, `facts` are those that an operator sees, by name.
    """

    verdict: Verdict
    reason: Reason | None = None
    survey: Survey | None = None
    mismatches: tuple[RuleMismatch, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call to Dixa that was marked before it was sent, and whose outcome isn't recorded yet.

    `rating` is what is offered or submitted; `seen` the rating ids that existed before an offer.
    """

    rating: RatingType
    sent_at: datetime
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferProgress:
    """The offer's part of a record; `before` are the rating ids from before a first try that came to nothing.

    `failed` are the channels that refused for good; a mail that has a `mailed_at` may be out, so it isn't sent again.
    """

    state: OfferState
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    call: Call | None = None
    before: tuple[str, ...] | None = None
    channel: str = ""
    language: str = ""
    delivered_at: datetime | None = None
    failed: tuple[str, ...] = ()
    mailed_at: datetime | None = None
    reminded_at: datetime | None = None
    note: str = ""
    offered_at: datetime | None = None
    ended_at: datetime | None = None
    retried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """The answer's part of a record. `answer.comment` is empty once it has reached Dixa.

    An editable answer can be changed until `due_at`. `first_answered_at` is the time of the first one.
    A machine may have sent one that is suspect: it came right after the link, without a comment, or it filled a field
    that no customer sees.
    """

    state: AnswerState
    answer: Answer
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    call: Call | None = None
    submitted: tuple[RatingType, ...] = ()
    has_comment: bool = False
    is_suspect: bool = False
    first_answered_at: datetime | None = None
    retried_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_provisional(self) -> bool:
        """Whether it is suspect, and still yields to an answer that isn't."""
        return self.is_suspect and self.state is AnswerState.EDITABLE


@dataclass(frozen=True, slots=True)
class ActionProgress:
    """One action that follows an answer, and the note about it. `sent_scores` are those of an alert."""

    state: ActionState
    problem: str = ""
    sent_scores: Mapping[RatingType, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done about it."""
        return self.state in (ActionState.DONE, ActionState.FAILED)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What follows an answer: its actions by name, such as `note` or `tag:angry`."""

    state: FollowUpState
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    retried_at: datetime | None = None
    actions: Mapping[str, ActionProgress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One survey: the close it came from, its terms as they were then, and how far each journey is.

    `candidates` are the surveys still possible, until one is chosen. `earlier` are the rating ids of earlier rounds of
    this conversation, the last of them delivered at `delivered_before`. `cooldown_survey` is the survey in the
    customer's cooldown slot. `reconcile_first` marks a record from a backup or from a link alone: it may be older than
    the calls made for it.
    """

    survey_id: str
    conversation_id: int
    accepted_at: datetime
    close: Close | None
    terms: Survey | None
    offer: OfferProgress
    offers: tuple[Offer, ...] = ()
    reconcile_first: bool = False
    answer: AnswerProgress | None = None
    follow_up: FollowUp | None = None
    candidates: tuple[Survey, ...] = ()
    mismatches: tuple[RuleMismatch, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    decided_at: datetime | None = None
    earlier: tuple[str, ...] = ()
    delivered_before: datetime | None = None
    latest_close: datetime | None = None
    """That of a later close that began no round."""
    open_until: datetime | None = None
    """When the channel presumably takes no message any more; known while it is decided, and not kept."""
    cooldown_survey: str = ""

    @property
    def answered(self) -> Answer:
        """The answer of a record that has one."""
        if self.answer is None:
            raise LookupError(self.survey_id)
        return self.answer.answer


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on one journey of a record, taken at `at` by Redis' clock.

    The fence proves to every later script that it is still ours.
    """

    journey: Journey
    fence: int
    at: datetime
    record: Record = field(repr=False)
