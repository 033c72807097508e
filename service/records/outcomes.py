"""The results of the transitions, as the Lua scripts return them and as Python passes them on."""

from enum import StrEnum


class Outcome(StrEnum):
    """The result of a transition. docs/architecture/records.md has the table of scripts, states and outcomes."""

    # Nothing was written.
    MISSING = "missing"
    STALE = "stale"
    WRONG_STATE = "wrong_state"
    UNCHANGED = "unchanged"

    # Closes and changes
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same close, or a later one without a new round."""
    OLDER = "older"
    UNDECIDED = "undecided"
    NOT_REMINDED = "not_reminded"

    # Claims
    CLAIMED = "claimed"
    DONE = "done"
    EARLY = "early"
    LEASED = "leased"
    NEWER = "newer"
    PAUSED = "paused"
    RESCHEDULED = "rescheduled"
    DUE_NOW = "due_now"

    # Calls, e-mails and actions
    BEGUN = "begun"
    BEGUN_BEFORE = "begun_before"
    NOT_BEGUN = "not_begun"
    IN_FLIGHT = "in_flight"
    LATE = "late"

    # Answers
    SAVED = "saved"
    SAME = "same"
    SUPERSEDED = "superseded"
    """A later answer is known."""
    IGNORED = "ignored"
    """A suspect answer doesn't replace the customer's. Only its wish to remove the comment counts."""
    NOT_CHANGED = "not_changed"
    """The earlier answer is final."""
    CLOSED = "closed"
    """The survey was erased."""
    NOT_EDITABLE = "not_editable"
    OVER = "over"
    EXTENDED = "extended"

    # Operators
    RETRIED = "retried"
    NOT_FAILED = "not_failed"

    # Anonymised conversations
    ERASED = "erased"

    # The states that a change returns. Other scripts return the new state as a plain text, too.
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    SPOOLED = "spooled"
    """Redis is unavailable, so the write waits in the spool. Only `Intake` returns this."""


class StaleClaim(Exception):
    """The claim is no longer valid: another claim, the customer's answer, or a lease that is nearly over."""
