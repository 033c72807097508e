"""The nouns of the story: a close, a survey's record, its offers and its answer. No behaviour beyond reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from config.surveys import RatingType, Survey


class Journey(StrEnum):
    """The two stories of a survey. Each has its own state, lease and due set in the same record."""

    OFFER = "offer"
    ANSWER = "answer"


class OfferState(StrEnum):
    """Where the offer's journey stands; `unknown` means that a call was sent and its answer was lost."""

    WAITING = "waiting"
    DECIDING = "deciding"
    OFFERING = "offering"
    UNKNOWN = "unknown"
    OFFERED = "offered"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    DEAD = "dead"


class AnswerState(StrEnum):
    """Where the answer's journey stands; a `held` answer can still be changed by the customer."""

    HELD = "held"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    DEAD = "dead"


class Reason(StrEnum):
    """Why a survey was not sent, or why a record is dead. A closed list: the README explains each."""

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
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Close:
    """What is kept of a `CONVERSATION_CLOSED` event: only what a later step needs, and nothing personal.

    Channel and direction are in the API's spelling; ids are Dixa's.
    """

    conversation_id: int
    closed_at: datetime
    channel: str | None = None
    direction: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    requester_id: str | None = None
    agent_id: str | None = None
    tags: tuple[str, ...] = ()


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
class Call:
    """A call to Dixa that was marked before it was sent, and whose outcome isn't recorded yet.

    `rating` is what is offered or submitted; `seen` the rating ids that existed before an offer.
    """

    rating: RatingType
    sent_at: datetime
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferProgress:
    """The offer's half of a record; `before` are the rating ids from before a first try that came to nothing."""

    state: OfferState
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    call: Call | None = None
    before: tuple[str, ...] | None = None
    channel: str = ""
    language: str = ""
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """The answer's half of a record. `answer.comment` is empty once it has reached Dixa."""

    state: AnswerState
    answer: Answer
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    call: Call | None = None
    submitted: tuple[RatingType, ...] = ()
    has_comment: bool = False
    revived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One survey: the close it came from, its terms as they were then, and how far both journeys are.

    A record that `looks_first` may be older than what was done for it: it comes from a backup or from a link alone.
    """

    survey_id: str
    conversation_id: int
    accepted_at: datetime
    close: Close | None
    terms: Survey | None
    offer: OfferProgress
    offers: tuple[Offer, ...] = ()
    looks_first: bool = False
    answer: AnswerProgress | None = None

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
