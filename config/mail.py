"""The e-mail channel: its mail server, and mailboxes."""

from dataclasses import dataclass, field
from enum import StrEnum

from service.surveys.mailbox import Mailbox


class Tls(StrEnum):
    """How the way to the server is kept secret."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in."""

    host: str
    port: int
    tls: Tls = Tls.STARTTLS
    user: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """All that the e-mail channel is told."""

    server: SmtpServer
    sender: Mailbox
    reply_to: Mailbox | None = None
