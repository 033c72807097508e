"""Errors of calls to other systems. The class decides the caller's next step, whatever the system.

CallError
├── RetryLater             it did not happen (or was a query): retry, not before `retry_in`
│   ├── NotNow                no call gets through now, or Dixa may not show its own event yet: counts as no try
│   └── NotDelivered          a mail server or receiver has no time now
│       └── ChannelDown          it is away, or refuses all of our surveys
├── OutcomeUnknown         it may have happened: reconcile before calling again
│   └── DeliveryUnknown       the same, from a mail server or receiver
├── Refused                retrying is useless
│   ├── Forbidden             401 or 403 though the credentials work: may be allowed soon
│   └── DeliveryRefused       from a mail server or receiver, or found before any call
└── Unconfirmable          it may have happened and nothing can tell: counts as done

`service.dixa.errors` has Dixa's own.
"""

from datetime import timedelta


class CallError(Exception):
    """A call to another system failed."""


class RetryLater(CallError):
    """Nothing happened. Try again, after `retry_in` if known."""

    def __init__(self, problem: str, retry_in: timedelta | None = None) -> None:
        super().__init__(problem)
        self.retry_in = retry_in


class NotNow(RetryLater):
    """It is not the time for a call. It doesn't count as a try."""


class NotDelivered(RetryLater):
    """A delivery channel did not deliver. It may later."""


class ChannelDown(NotDelivered):
    """A delivery channel works for no survey: its server or our settings are at fault, not this customer's address."""


class OutcomeUnknown(CallError):
    """The call was sent and its response was lost."""


class DeliveryUnknown(OutcomeUnknown):
    """A mail server or receiver got the call and its response was lost."""


class Refused(CallError):
    """The other side said no; `status` is its HTTP status, if it has one."""

    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.status = status


class Forbidden(Refused):
    """A single call isn't allowed, though the credentials are right."""


class DeliveryRefused(Refused):
    """A delivery channel can't reach this customer."""


class ConversationErased(Exception):
    """Dixa shows the conversation as anonymised, so nothing may be written into it. No failure of a call."""


class Unconfirmable(CallError):
    """A delivery was handed over and its outcome can't be known."""
