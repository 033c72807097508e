"""What a sandbox can be told before it starts."""

from dataclasses import dataclass, field
from secrets import token_hex
from uuid import uuid4

EVENTS = (
    "CONVERSATION_CLOSED",
    "CONVERSATION_ABANDONED",
    "CONVERSATION_OPEN",
    "CONVERSATION_PENDING",
    "CONVERSATION_RATED",
)
"""The webhook events that the sandbox can send."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Defaults are those of Dixa itself, where Dixa documents them.

    `rate` is in requests per second and token; None turns the limit off. `target` is the webhook's URL; None sends no
    webhook. `listing_lag` is how many seconds an offer or a result takes to show in the list of ratings. `smtp_port` is
    where mail is taken; None takes none. `preview` is the address of a preview of all that customers read, if one runs.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tokens: tuple[str, ...] = ("sandbox-token",)
    rate: float | None = 10.0
    burst: int = 4
    target: str | None = None
    secret: str = field(default_factory=lambda: token_hex(32), repr=False)
    subscription_id: str = field(default_factory=lambda: str(uuid4()))
    events: tuple[str, ...] = EVENTS
    attempts: int = 5
    pause_seconds: float = 1.0
    webhook_timeout_seconds: float = 5.0
    has_samples: bool = False
    message_reopens: bool = False
    listing_lag: float = 0.0
    smtp_port: int | None = None
    preview: str | None = None
