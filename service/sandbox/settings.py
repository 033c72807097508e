"""The settings of a sandbox."""

from dataclasses import dataclass, field
from secrets import token_hex
from uuid import uuid4

HOST = "127.0.0.1"
"""The sandbox listens on this machine only."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Defaults are Dixa's own, where documented.

    `rate` is in requests per second and token; None means no limit. `target` is the webhook's URL; None sends none.
    `smtp_port` is the port of the mail server; None starts none. `preview` is the URL of a running preview.
    `card_url` is the hook URL of a Custom Card, called with the bearer token `card_token`; None shows no card.
    """

    port: int = 0
    tokens: tuple[str, ...] = ("sandbox-token",)
    rate: float | None = 10.0
    burst: int = 4
    target: str | None = None
    secret: str = field(default_factory=lambda: token_hex(32), repr=False)
    subscription_id: str = field(default_factory=lambda: str(uuid4()))
    attempts: int = 5
    pause_seconds: float = 1.0
    has_samples: bool = False
    smtp_port: int | None = None
    preview: str | None = None
    card_url: str | None = None
    card_token: str = field(default="", repr=False)
