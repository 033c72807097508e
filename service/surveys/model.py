"""The data of a survey: its close, record, offers, answer and follow-up. Nothing here changes state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from service.surveys.definition import Survey
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import (
    ActionState,
    AnswerState,
    ChangeKind,
    FollowUpState,
    FoundBy,
    Journey,
    OfferState,
    Verdict,
)

UNCONFIRMED = "unconfirmed"
"""The note of a delivery without a known outcome."""


@dataclass(frozen=True, slots=True)
class Close:
    """The facts of a `CONVERSATION_CLOSED` event for later steps, in the API's spelling. Ids are Dixa's.

    `tags` are None if the event has none. `found_by` is None if a webhook brought it. `person` are hashes of the
    requester's id, address and number; `email_hashes` and `phone_hashes` are those of the address and of the number.

    A record keeps the address, in clear, only for a survey with the channel `email`, until the offer has ended, or for
    a retry of a failed one. It keeps no number. `odd_email` is an address that can't receive e-mail: the rules use it,
    and no record keeps it.
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
    found_by: FoundBy | None = None
    person: tuple[str, ...] = ()
    email_hashes: tuple[str, ...] = ()
    phone_hashes: tuple[str, ...] = ()
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    odd_email: str | None = field(default=None, repr=False)

    @property
    def facts(self) -> dict[str, str]:
        """Return the known facts for operators. No names of people."""
        known = {
            "closed_at": self.closed_at.isoformat(timespec="seconds"),
            "channel": self.channel,
            "queue": self.queue_name or self.queue_id,
            "contact_point": self.contact_point,
            "user_type": self.user_type,
            "assignee_type": self.assignee_type,
            "agent_id": self.agent_id,
        }
        return {name: fact for name, fact in known.items() if fact}

    def day_in(self, zone: ZoneInfo) -> date:
        """Return the date of the close in a time zone."""
        return self.closed_at.astimezone(zone).date()


@dataclass(frozen=True, slots=True)
class Change:
    """The facts of an event other than a close."""

    conversation_id: int
    kind: ChangeKind
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class RuleMismatch:
    """A rule that excludes a conversation from a survey, as surveys.toml spells it, and the conversation's fact.

    For a rule of all surveys, `survey` and `rule` are empty.
    """

    survey: str
    reason: Reason
    rule: str
    fact: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A rating offer in Dixa."""

    rating: RatingType
    rating_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A customer's answer: a score for at least one rating type, and perhaps a comment."""

    scores: Mapping[RatingType, int]
    comment: str
    language: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and its grounds. WAIT is decided again at `due_at`.

    `survey` is the chosen one. `facts` are shown to operators, by name.
    """

    verdict: Verdict
    reason: Reason | None = None
    survey: Survey | None = None
    mismatches: tuple[RuleMismatch, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call to Dixa in progress, recorded before it is sent.

    `rating` is the type offered or submitted. `seen` are the rating ids from before an offer.
    """

    rating: RatingType
    sent_at: datetime
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferProgress:
    """The offer's part of a record.

    `before` are the rating ids from before the first try. `failed` are the channels that refused for good. An e-mail
    with a `mailed_at` may have been sent, so it isn't sent again.
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

    The customer can change an editable answer until `due_at`. `first_answered_at` is the time of its first version.
    A suspect answer may be a machine's: it arrived right after the link without a comment, or with the hidden field
    filled in.
    """

    state: AnswerState
    answer: Answer
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    call: Call | None = None
    submitted: tuple[RatingType, ...] = ()
    comment_sha1: str = ""
    is_suspect: bool = False
    first_answered_at: datetime | None = None
    retried_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_comment(self) -> bool:
        """Whether the customer has written a comment."""
        return bool(self.comment_sha1)

    @property
    def is_provisional(self) -> bool:
        """Whether another answer still replaces this suspect one."""
        return self.is_suspect and self.state is AnswerState.EDITABLE


@dataclass(frozen=True, slots=True)
class ActionProgress:
    """The progress of one action. `sent_scores` are those of an alert."""

    state: ActionState
    problem: str = ""
    sent_scores: Mapping[RatingType, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (ActionState.DONE, ActionState.FAILED)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The actions after an answer, by name, such as `note` or `tag:angry`."""

    state: FollowUpState
    reason: str = ""
    due_at: datetime | None = None
    tries: int = 0
    retried_at: datetime | None = None
    actions: Mapping[str, ActionProgress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One survey of one conversation: its close, its terms as of the close, and the progress of each journey.

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
    """The time of a later close that began no round."""
    open_until: datetime | None = None
    """When the channel presumably stops accepting messages. Known during the decision only, never stored."""
    cooldown_survey: str = ""
    unsent_events: Mapping[str, datetime] = field(default_factory=dict)
    """What has happened and was not sent yet: a `SurveyEvent`, for `failed` with the journey: `failed:offer`."""

    @property
    def rating_ids(self) -> tuple[str, ...]:
        """The ids of our offers, of this round and the earlier ones."""
        return (*(offer.rating_id for offer in self.offers), *self.earlier)

    @property
    def answered(self) -> Answer:
        """The answer. Raises LookupError if there is none."""
        if self.answer is None:
            raise LookupError(self.survey_id)
        return self.answer.answer


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on one journey of a record, taken at `at` by Redis' clock.

    A later claim raises the fence of the record, and the scripts refuse an outdated one.
    """

    journey: Journey
    fence: int
    at: datetime
    record: Record = field(repr=False)
