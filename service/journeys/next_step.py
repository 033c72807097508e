"""What a journey returns for one claim. The runner writes it; nothing else gives a lease back or ends a journey."""

from dataclasses import dataclass
from datetime import timedelta

from service.surveys.model import Reason, Record


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
    """The call that was begun did not happen. If `may_still_happen`, Dixa may still execute it."""

    delay: timedelta
    may_still_happen: bool = False
    is_failure: bool = True


@dataclass(frozen=True, slots=True)
class CallLost:
    """The call that was begun lost its response: reconcile it when it must be visible."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The journey ends for good. An operator may retry it."""

    reason: Reason
    problem: str


@dataclass(frozen=True, slots=True)
class Erase:
    """The conversation was anonymised: end all journeys and forget the customer."""


Next = Done | Wait | CallFailed | CallLost | Fail | Erase
