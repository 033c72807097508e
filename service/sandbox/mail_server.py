"""A mail server for tests and people. It keeps e-mails and forwards none."""

from asyncio import Server
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from service.delivery.email.parts import inline_pictures
from service.sandbox.dixa.model import now

_MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """An e-mail with its envelope."""

    number: int
    sender: str
    recipient: str
    raw: bytes = field(repr=False)
    received_at: datetime = field(default_factory=now)

    @property
    def message(self) -> EmailMessage:
        """The parsed e-mail."""
        return message_from_bytes(self.raw, policy=default)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text part, or ""."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""

    @property
    def html(self) -> str:
        """The HTML part with inlined pictures, or ""."""
        return inline_pictures(self.message)


class MailStore:
    """The received e-mails, oldest first. It is the handler of the mail server."""

    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []
        self._received = 0

    def clear(self) -> None:
        """Delete all e-mails."""
        self.mails = []

    def to(self, address: str | None) -> list[ReceivedMail]:
        """Return the e-mails to one address."""
        return [each for each in self.mails if each.recipient == address]

    def find(self, number: int) -> ReceivedMail | None:
        """Find an e-mail by its number."""
        return next((each for each in self.mails if each.number == number), None)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one e-mail for each recipient. The oldest ones are dropped."""
        for recipient in envelope.rcpt_tos:
            self._received += 1
            raw = envelope.original_content or b""
            mail = ReceivedMail(self._received, envelope.mail_from or "", recipient, raw)
            self.mails = [*self.mails[1 - _MAX_KEPT :], mail]
        return "250 2.0.0 Kept"


class MailServer(Controller):
    """An SMTP server in a thread. It accepts all e-mails from this machine.

    It supports port 0: `port` is the real one after the start. aiosmtpd's own controller connects to the configured
    one.
    """

    def _trigger_server(self) -> None:
        if isinstance(self.server, Server):
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]
