"""Sends a survey's e-mail over SMTP, at most once.

A lost connection is temporary, and so are most refusals (`service.delivery.email.replies`). The e-mail is sent when the
server replies to the final dot. If that reply is lost nobody can find out, so the e-mail is not sent again.
"""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from config.endpoints import SmtpServer, Tls
from config.failures import describe_failure
from config.settings import Settings
from service.delivery.concurrency import ConcurrencyLimit
from service.delivery.email.replies import refusal
from service.delivery.email.text import EmailBranding, SurveyEmail, sender_of, write_email
from service.sessions import limit_socket, read_until, tls_context
from service.surveys.definition import Survey
from service.surveys.errors import ChannelDown, DeliveryRefused, NotDelivered, NotNow, Unconfirmable
from service.surveys.language_codes import find_language
from service.surveys.mailbox import Mailbox
from service.surveys.model import Record
from service.surveys.ports import Deadline, Delivery, Mailings
from service.surveys.states import OfferState
from service.texts.catalog import load_language

_CONNECT_SECONDS = 5.0
"""For the TCP connection alone: a server may take minutes for its replies (RFC 5321, 4.5.3.2)."""

_MAX_CONNECTIONS = 4

_MIN_CLAIM_SECONDS = 0.5
"""No e-mail is begun with less time left of the claim."""


def try_server(server: SmtpServer, deadline: Deadline) -> None:
    """Connect, encrypt and log in, and send nothing. Raises NotDelivered."""
    with _connected(server, tls_context(), deadline):
        pass


def send_message(server: SmtpServer, sender: str, recipient: str, text: bytes, deadline: Deadline) -> None:
    """Send a message to an operator. Raises NotDelivered, DeliveryRefused or Unconfirmable."""
    with _connected(server, tls_context(), deadline) as smtp:
        _send_text(smtp, sender, recipient, text)
        _finish_data(smtp)


class EmailDelivery(Delivery):
    """Sends the link from the operator's mailbox to the requester's address."""

    name = "email"
    sends_reminders = True

    def __init__(
        self,
        server: SmtpServer,
        branding: EmailBranding,
        mailings: Mailings,
        context: ssl.SSLContext | None = None,
        *,
        budget: timedelta,
    ) -> None:
        self._server = server
        self._branding = branding
        self._mailings = mailings
        self._budget = budget
        self._context = context or tls_context()
        self._limit = ConcurrencyLimit("the mail server", _MAX_CONNECTIONS)

    def can_reach(self, record: Record) -> bool:
        """Return whether there is an address, and a requester id for the opt-out link."""
        close = record.close
        return close is not None and close.email is not None and close.requester_id is not None

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Return False: it is not sent. Raises Unconfirmable if it may be, and NotNow while the server is busy."""
        if record.offer.mailed_at:
            raise Unconfirmable("it was being handed over when a worker ended")
        if record.reconcile_first:
            raise Unconfirmable("the record comes from a backup: it may have been handed over since")
        self._limit.check()
        return False

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the e-mail. It has its own budget and a longer lease: some servers delay every reply for minutes."""
        close = record.close
        if close is None or close.email is None:
            raise DeliveryRefused("no address to send it to")
        if deadline.remaining() < _MIN_CLAIM_SECONDS:
            raise NotNow("this claim's time is up")
        terms = record.terms or Survey()
        spoken = find_language(record.offer.language) or self._branding.default_language
        email = SurveyEmail(
            survey_id=record.survey_id,
            is_reminder=record.offer.state is OfferState.REMINDING,
            address=close.email,
            rating=record.offers[0].rating,
            link=link,
            language=load_language(spoken),
            channel=close.channel,
            closed_on=close.day_in(terms.zone_or(self._branding.time_zone)),
            own=terms.words_in(spoken),
            sender=terms.sender_in(spoken),
            brand=terms.brand,
        )
        with self._limit.reserve():
            if not self._mailings.extend_lease(record.survey_id):
                raise NotNow("this claim is over")
            self.send(email, Deadline(self._budget))

    def send(self, email: SurveyEmail, deadline: Deadline) -> None:
        """Send one e-mail. Raises NotDelivered, DeliveryRefused or Unconfirmable."""
        text = write_email(self._branding, email)
        with _connected(self._server, self._context, deadline) as smtp:
            _send_text(smtp, sender_of(self._branding, email).address, email.address, text)
            # smtplib's `data` sends the text and the dot in one call. Here the record is written between the two: after
            # the dot the e-mail may be sent, so a crash from here on must never lead to a second one.
            if not self._mailings.begin_email(email.survey_id):
                raise Unconfirmable("another worker has handed it over, or the survey has gone on")
            _finish_data(smtp)


def email_branding(settings: Settings) -> EmailBranding:
    """Return the branding of all e-mails. Without SMTP_URL the sender is an example address, for previews."""
    mail = settings.mail
    return EmailBranding(
        sender=mail.sender if mail else Mailbox("survey@example.com"),
        reply_to=mail.reply_to if mail else None,
        brand=settings.brand_name,
        public_url=settings.public_url,
        privacy_url=settings.privacy_url,
        default_language=settings.default_language,
        theme=settings.theme,
        time_zone=settings.time_zone,
    )


class _Smtp(smtplib.SMTP):
    """smtplib's client with implicit TLS and one deadline for the whole conversation.

    smtplib's own timeout applies to each single read, like that of `requests`.
    """

    def __init__(self, context: ssl.SSLContext | None, deadline: Deadline) -> None:
        self._implicit_context = context
        self._deadline = deadline
        self.is_ready = False
        """Whether it is connected and logged in. Failures before that are about the server, not about one e-mail."""
        super().__init__(timeout=_CONNECT_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return not self._deadline.remaining()

    def send(self, s: Any) -> None:
        """Send bytes. The socket's timeout limits `sendall` as a whole, unlike reads."""
        if self.sock:
            limit_socket(self.sock, self._deadline)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply by the deadline. smtplib makes a new file after connecting and after STARTTLS."""
        if self.file is None and self.sock:
            self.file = read_until(self.sock.makefile("rb"), self.sock, self._deadline)
        return super().getreply()

    def failure(self, code: int = 0) -> type[NotDelivered]:
        """Return the error for a failure: about this e-mail, or ChannelDown, about the server. A 4xx means busy."""
        is_busy = self.is_ready or self.is_over or code // 100 == 4  # noqa: PLR2004 - RFC 5321
        return NotDelivered if is_busy else ChannelDown

    def log_in(self, user: str, password: str) -> None:
        """Log in, with UTF-8 for non-ASCII (RFC 4616).

        smtplib encodes to ASCII only, and its UnicodeEncodeError contains the password.
        """
        if (user + password).isascii():
            self.login(user, password)
            return
        mechanisms = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in mechanisms:
            both = f"\0{user}\0{password}"
            code, reply = self.docmd("AUTH", f"PLAIN {_encoded(both)}")
        elif "LOGIN" in mechanisms:
            code, reply = self.docmd("AUTH", f"LOGIN {_encoded(user)}")
            if code == 334:  # noqa: PLR2004 - go on, RFC 4954
                code, reply = self.docmd(_encoded(password))
        else:
            raise smtplib.SMTPNotSupportedError("no way to log in with letters beyond ASCII")
        if code not in (235, 503):  # Logged in now, or already (RFC 4954).
            raise smtplib.SMTPAuthenticationError(code, reply)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected = socket.create_connection((host, port), min(timeout, self._deadline.remaining() or 0.1))
        self._host = host
        try:
            # The TLS handshake obeys the socket's timeout as a whole.
            limit_socket(connected, self._deadline)
            if self._implicit_context:
                return self._implicit_context.wrap_socket(connected, server_hostname=host)
        except OSError:
            connected.close()
            raise
        return connected


def _encoded(text: str) -> str:
    """Encode for AUTH. Non-UTF-8 bytes of the environment are sent unchanged."""
    return base64.b64encode(text.encode(errors="surrogateescape")).decode()


@contextmanager
def _connected(server: SmtpServer, context: ssl.SSLContext, deadline: Deadline) -> "Iterator[_Smtp]":
    """Connect, encrypt and log in. Everything ends by the deadline."""
    smtp = _Smtp(context if server.tls is Tls.IMPLICIT else None, deadline)
    try:
        _begin(smtp, server, context)
        smtp.is_ready = True
        yield smtp
        # Do not wait for the reply: the e-mail is sent, and nothing may cost time or fail after it.
        with suppress(OSError, smtplib.SMTPException):
            smtp.putcmd("quit")
    except smtplib.SMTPResponseException as error:
        raise smtp.failure(error.smtp_code)(f"the mail server returned {error.smtp_code}") from None
    except smtplib.SMTPException as error:
        kind = "no response in time" if smtp.is_over else type(error).__name__
        raise smtp.failure()(f"the mail server: {kind}") from None
    except TimeoutError as error:
        raise NotDelivered(f"the mail server can't be used: {describe_failure(error)}") from None
    except OSError as error:  # SSL errors are OSErrors too.
        raise smtp.failure()(f"the mail server can't be used: {describe_failure(error)}") from None
    finally:
        smtp.close()


def _begin(smtp: "_Smtp", server: SmtpServer, context: ssl.SSLContext) -> None:
    code, _ = smtp.connect(server.host, server.port)
    if code != 220:  # noqa: PLR2004 - the greeting, RFC 5321
        raise smtp.failure(code)(f"the mail server greeted with {code}")
    smtp.ehlo_or_helo_if_needed()
    if server.tls is Tls.STARTTLS:
        smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
    if server.user is not None:
        smtp.log_in(server.user, server.password)


def _expect(smtp: smtplib.SMTP, expected: int, command: str, name: str) -> None:
    code, reply = smtp.docmd(command)
    if code != expected and not (name == "RCPT" and code == 251):  # noqa: PLR2004 - "will forward"
        raise refusal(code, reply, name)


def _send_text(smtp: smtplib.SMTP, sender: str, recipient: str, text: bytes) -> None:
    """Send all but the final dot. Until then the server discards the e-mail if the connection breaks."""
    _expect(smtp, 250, f"MAIL FROM:<{sender}>", "MAIL")
    _expect(smtp, 250, f"RCPT TO:<{recipient}>", "RCPT")
    _expect(smtp, 354, "DATA", "DATA")
    smtp.send(re.sub(rb"(?m)^\.", b"..", text))


def _finish_data(smtp: "_Smtp") -> None:
    """Send the final dot and read the reply.

    If the connection breaks before the dot, the server discards the e-mail (RFC 5321, 4.1.1.4). Afterwards it may have
    accepted it, so only a complete reply counts.
    """
    try:
        smtp.send(b".\r\n")
        code, reply = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unconfirmable(f"the mail server accepted it and did not reply: {describe_failure(error)}") from None
    if code // 100 in (4, 5):  # Rejections, RFC 5321.
        raise refusal(code, reply, "the text")
    if code != 250:  # noqa: PLR2004 - done, RFC 5321
        # smtplib accepts an incomplete line.
        raise Unconfirmable("the mail server accepted it, and its reply was cut off")
