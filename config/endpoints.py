"""The receivers of outgoing e-mails and webhooks."""

from dataclasses import dataclass, field
from enum import StrEnum

from service.surveys.mailbox import Mailbox


class Tls(StrEnum):
    """How a connection to a mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server for outgoing e-mails."""

    host: str
    port: int
    tls: Tls = Tls.STARTTLS
    user: str | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """The e-mail channel."""

    server: SmtpServer
    sender: Mailbox
    reply_to: Mailbox | None = None


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """A receiver of signed webhooks. Its URL is a secret, too: it often contains a token."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
