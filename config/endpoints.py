"""The receivers of our requests: the team's own webhooks, Slack, and the hosts that customers may be sent to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """A receiver of signed webhooks."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All receivers. The URLs are secrets themselves: Slack's is one, and others have a token in them."""

    delivery: SignedEndpoint | None = None
    answer: SignedEndpoint | None = None
    slack: str | None = field(default=None, repr=False)
    thank_you_hosts: tuple[str, ...] = ()
