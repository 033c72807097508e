"""A mail server that keeps what it is handed, for a person or a test to look at. It sends nothing on."""

from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from service.delivery.email.parts import inline_pictures
from service.sandbox.dixa.model import now

_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as it came: its envelope, and its bytes."""

    number: int
    sender: str
    recipient: str
    raw: bytes = field(repr=False)
    received_at: datetime = field(default_factory=now)

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=default)

    @property
    def subject(self) -> str:
        """The subject in words."""
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text part; empty when there is none."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML part, with its pictures in it; empty when there is none."""
        return inline_pictures(self.message)

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part else ""


class Mailroom:
    """The mails that came, oldest first."""

    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []
        self._received = 0

    def clear(self) -> None:
        """Forget them all."""
        self.mails = []

    def to(self, address: str | None) -> list[ReceivedMail]:
        """List what came for one address."""
        return [each for each in self.mails if each.recipient == address]

    def find(self, number: int) -> ReceivedMail | None:
        """Find a mail by its number."""
        return next((each for each in self.mails if each.number == number), None)

    def keep(self, sender: str, recipient: str, raw: bytes) -> None:
        """Keep one more."""
        self._received += 1
        self.mails = [*self.mails[1 - _MOST_KEPT :], ReceivedMail(self._received, sender, recipient, raw)]


class MailServer:
    """An SMTP server around a mailroom, in a thread. It takes everything, from everybody on this machine."""

    def __init__(self, mailroom: Mailroom, host: str, port: int) -> None:
        self._mailroom = mailroom
        self._controller = _Controller(self, hostname=host, port=port)

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        return self._controller.bound_port

    def start(self) -> None:
        """Begin to listen."""
        self._controller.start()

    def stop(self) -> None:
        """Listen no more."""
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail for each who is to get it."""
        for recipient in envelope.rcpt_tos:
            self._mailroom.keep(envelope.mail_from or "", recipient, envelope.original_content or b"")
        return "250 2.0.0 Kept"


class _Controller(Controller):
    """aiosmtpd's own looks whether it can be reached at the port that was asked for, which 0 is not."""

    @property
    def bound_port(self) -> int:
        server = self.server
        sockets = getattr(server, "sockets", None)
        return int(sockets[0].getsockname()[1]) if sockets else int(self.port)

    def _trigger_server(self) -> None:
        self.port = self.bound_port
        super()._trigger_server()  # type: ignore[no-untyped-call]
