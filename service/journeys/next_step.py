"""The values that end a claim. Journeys return them, and only the runner writes them to the record."""

from dataclasses import dataclass
from datetime import timedelta

from service.surveys.model import Record
from service.surveys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Continue:
    """The next step of the same claim works on this record. Never reaches the runner."""

    record: Record


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to write."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Give the lease back and come again after `delay`. A failure counts as a try and lengthens the backoff."""

    delay: timedelta
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The begun call has not happened so far. With `may_still_happen`, Dixa may execute it later."""

    delay: timedelta
    may_still_happen: bool = False
    is_failure: bool = True


@dataclass(frozen=True, slots=True)
class CallLost:
    """The begun call lost its response. It is reconciled after RECONCILE_AFTER."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The journey ends for good. An operator may retry it."""

    reason: Reason
    problem: str


@dataclass(frozen=True, slots=True)
class Erase:
    """The conversation was anonymised: end all journeys and forget the customer. Only the runner makes it."""


Next = Done | Wait | CallFailed | CallLost | Fail | Erase
