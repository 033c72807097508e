"""The states of journeys and actions, the verdicts of a decision, and the kinds of change."""

from enum import StrEnum


class Journey(StrEnum):
    """The journeys of a record. Each has its own state, lease and due set."""

    OFFER = "offer"
    ANSWER = "answer"
    FOLLOW_UP = "follow_up"


class OfferState(StrEnum):
    """The states of an offer. `unknown`: a call was sent and its response was lost.

    `reminding`: the customer has the link, and a reminder is due later.
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
    """The outcomes of a decision. The values are those of decide.lua: offer states, except for `ask`."""

    ASK = "ask"
    WAIT = "waiting"
    SKIP = "skipped"
    CANCEL = "cancelled"


class AnswerState(StrEnum):
    """The states of an answer. The customer can still change an `editable` one."""

    EDITABLE = "editable"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    FAILED = "failed"


class FollowUpState(StrEnum):
    """The states of a follow-up. It is `failed` if one of its actions has failed for good."""

    FOLLOWING = "following"
    FOLLOWED = "followed"
    FAILED = "failed"


class ActionState(StrEnum):
    """The states of an action. A `waiting` one has not happened, a `begun` one may have."""

    WAITING = "waiting"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


class SurveyEvent(StrEnum):
    """What happens to a survey, as the operator's receiver of events is told."""

    ASKED = "asked"
    SKIPPED = "skipped"
    DELIVERED = "delivered"
    REMINDED = "reminded"
    ANSWERED = "answered"
    SUBMITTED = "submitted"
    FAILED = "failed"

    @property
    def type(self) -> str:
        """Its name in a webhook."""
        return f"survey.{self}"


class ChangeKind(StrEnum):
    """The events that cancel a waiting survey."""

    REOPENED = "reopened"
    RATED = "rated"


class FoundBy(StrEnum):
    """How a close was found without its webhook: in Dixa's delivery log, by Dixa's search, or by an operator."""

    DELIVERY_LOG = "delivery_log"
    SEARCH = "search"
    OPERATOR = "operator"
