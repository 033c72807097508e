"""The e-mail channel: hands a survey's mail to an SMTP server, once.

Which failures mean what (RFC 5321, RFC 3463): a 5xx about the recipient is for good, and only that. A 4xx, or no
connection, is for later, and so is any other 5xx: it is about the account, the sender, the settings or a policy, which
somebody will mend. The mail is out when the server has answered the dot that ends it. If that answer is lost nobody can
know, and it isn't sent again. A server's own words are never repeated: they quote addresses.
"""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Timer

from config.failures import describe_failure
from config.mail import SmtpServer, Tls
from config.settings import Settings
from service.delivery.email.text import SurveyEmail, EmailBranding, sender_of, write_email
from service.delivery.room import Room
from service.sessions import new_context
from service.surveys.definition import Survey
from service.surveys.errors import ChannelDown, DeliveryRefused, NotDelivered, NotNow, Unconfirmable
from service.surveys.language_codes import find_language
from service.surveys.mailbox import Mailbox
from service.surveys.model import OfferState, Record
from service.surveys.ports import Deadline, Mailings
from service.texts.catalog import language

_CONNECT_SECONDS = 5.0
"""For the connection alone: what a server says may come minutes later (RFC 5321, 4.5.3.2)."""
_AT_ONCE = 4
_LEAST_SECONDS = 0.5
"""No mail is begun with less of the claim's time than this left."""

_MAILBOX_CODES = {550, 551, 552, 553, 556}
"""What a refused RCPT has where it is about the recipient (RFC 5321, RFC 7504)."""

_ABOUT_SENDER = {"5.1.7", "5.1.8", "5.1.90", "5.2.252"}
"""The sender's address, and Exchange's: may send no more, or not as this sender. Their kin are about the recipient."""


class EmailDelivery:
    """Sends the link to the requester's address, from our own mailbox."""

    name = "email"
    reminds = True

    def __init__(
        self,
        server: SmtpServer,
        head: EmailBranding,
        mailings: Mailings,
        context: ssl.SSLContext | None = None,
        *,
        budget: timedelta,
    ) -> None:
        self._server = server
        self._head = head
        self._mailings = mailings
        self._budget = budget
        self._context = context or new_context()
        self._room = Room("the mail server", _AT_ONCE)

    def can_reach(self, record: Record) -> bool:
        """A mail needs an address, and a requester who can stop the next one."""
        close = record.close
        return close is not None and close.email is not None and close.requester_id is not None

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Say that it isn't out; nobody can look for one that may be. Raises NotNow while the server is busy."""
        _ = deadline
        if record.offer.mailed_at:
            raise Unconfirmable("it was being handed over when a worker ended")
        if record.looks_first:
            raise Unconfirmable("the record comes from a backup: it may have been handed over since")
        self._room.insist()
        return False

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the mail. Its time is its own, and so is its lease: some servers let everybody wait for minutes."""
        close = record.close
        if close is None or close.email is None:
            raise DeliveryRefused("no address to send it to")
        if deadline.remaining() < _LEAST_SECONDS:
            raise NotNow("this claim's time is up")
        terms = record.terms or Survey()
        spoken = find_language(record.offer.language) or self._head.default_language
        letter = SurveyEmail(
            survey_id=record.survey_id,
            is_reminder=record.offer.state is OfferState.REMINDING,
            address=close.email,
            rating=record.offers[0].rating,
            link=link,
            language=language(spoken),
            channel=close.channel,
            closed_on=close.day_in(terms.zone_or(self._head.time_zone)),
            own=terms.words_in(spoken),
            sender=terms.sender_in(spoken),
            brand=terms.brand,
        )
        with self._room.taken():
            if not self._mailings.lengthen(record.survey_id):
                raise NotNow("this claim is over")
            self.send(letter, Deadline(self._budget))

    def send(self, letter: SurveyEmail, deadline: Deadline) -> None:
        """Hand one mail over. Raises NotDelivered, DeliveryRefused or Unconfirmable."""
        text = write_email(self._head, letter)
        with self._connected(deadline) as smtp:
            _expect(smtp, 250, f"MAIL FROM:<{sender_of(self._head, letter).address}>", "MAIL")
            _expect(smtp, 250, f"RCPT TO:<{letter.address}>", "RCPT")
            _expect(smtp, 354, "DATA", "DATA")
            smtp.send(re.sub(rb"(?m)^\.", b"..", text))
            if not self._mailings.mailing(letter.survey_id):
                raise Unconfirmable("another worker has handed it over, or the survey has gone on")
            _end(smtp)

    @contextmanager
    def _connected(self, deadline: Deadline) -> "Iterator[_Smtp]":
        """Connect, encrypt and log in; whatever the server does, it is over by the deadline."""
        smtp = _Smtp(self._context if self._server.tls is Tls.IMPLICIT else None, deadline)
        watchdog = Timer(deadline.remaining(), smtp.abort)
        watchdog.daemon = True
        try:
            watchdog.start()
            self._begin(smtp)
            smtp.is_ready = True
            yield smtp
            smtp.say_goodbye()
        except smtplib.SMTPResponseException as error:
            raise smtp.failure(error.smtp_code)(f"the mail server returned {error.smtp_code}") from None
        except smtplib.SMTPException as error:
            kind = "no answer in time" if smtp.is_over else type(error).__name__
            raise smtp.failure()(f"the mail server: {kind}") from None
        except TimeoutError as error:
            raise NotDelivered(f"the mail server can't be used: {describe_failure(error)}") from None
        except OSError as error:  # SSL errors are OSErrors too.
            raise smtp.failure()(f"the mail server can't be used: {describe_failure(error)}") from None
        finally:
            watchdog.cancel()
            smtp.close()

    def _begin(self, smtp: "_Smtp") -> None:
        server = self._server
        code, _ = smtp.connect(server.host, server.port)
        if code != 220:  # noqa: PLR2004 - the greeting, RFC 5321
            raise smtp.failure(code)(f"the mail server greeted with {code}")
        smtp.ehlo_or_helo_if_needed()
        if server.tls is Tls.STARTTLS:
            smtp.starttls(context=self._context)
            smtp.ehlo_or_helo_if_needed()
        if server.user is not None:
            smtp.log_in(server.user, server.password)


def make_email_delivery(settings: Settings, mailings: Mailings) -> EmailDelivery:
    """Wire the channel. Raises LookupError without SMTP_URL."""
    mail = settings.mail
    if mail is None:
        raise LookupError("SMTP_URL is not set")
    return EmailDelivery(mail.server, email_branding(settings), mailings, budget=settings.timings.mail_budget)


def email_branding(settings: Settings) -> EmailBranding:
    """Say what all e-mails have in common; without SMTP_URL they are from nobody in particular."""
    mail = settings.mail
    return EmailBranding(
        sender=mail.sender if mail else Mailbox("survey@example.com"),
        reply_to=mail.reply_to if mail else None,
        brand=settings.brand_name,
        public_url=settings.public_url,
        privacy_url=settings.privacy_url,
        default_language=settings.default_language,
        look=settings.look,
        time_zone=settings.time_zone,
    )


class _Smtp(smtplib.SMTP):
    """smtplib's client, which can also begin encrypted, and be cut off from another thread."""

    def __init__(self, context: ssl.SSLContext | None, deadline: Deadline) -> None:
        self._implicit = context
        self._deadline = deadline
        self.is_over = False
        self.is_ready = False
        """Whether it is connected and logged in: until then nothing was said of any mail."""
        super().__init__(timeout=_CONNECT_SECONDS)

    def abort(self) -> None:
        """End every wait for the server, now."""
        self.is_over = True
        connected = getattr(self, "sock", None)
        if connected is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which changes what another thread is working with.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def failure(self, code: int = 0) -> type[NotDelivered]:
        """Say of whom a failure tells: of this mail, or of the server, which then takes none. A 4xx says busy."""
        is_busy = self.is_ready or self.is_over or 400 <= code <= 499  # noqa: PLR2004 - RFC 5321
        return NotDelivered if is_busy else ChannelDown

    def say_goodbye(self) -> None:
        """Part as one should; what the server makes of it doesn't matter, and neither must it cost time."""
        with suppress(OSError, smtplib.SMTPException):
            self.putcmd("quit")

    def log_in(self, user: str, password: str) -> None:
        """Log in; what isn't ASCII, in UTF-8 (RFC 4616). smtplib's login can't, and its error holds the password."""
        if (user + password).isascii():
            self.login(user, password)
            return
        ways = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in ways:
            both = f"\0{user}\0{password}"
            code, words = self.docmd("AUTH", f"PLAIN {_encoded(both)}")
        elif "LOGIN" in ways:
            code, words = self.docmd("AUTH", f"LOGIN {_encoded(user)}")
            if code == 334:  # noqa: PLR2004 - go on, RFC 4954
                code, words = self.docmd(_encoded(password))
        else:
            raise smtplib.SMTPNotSupportedError("no way to log in with letters beyond ASCII")
        if code not in (235, 503):  # Now, or already (RFC 4954).
            raise smtplib.SMTPAuthenticationError(code, words)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self.sock = connected = socket.create_connection((host, port), min(timeout, self._deadline.remaining() or 0.1))
        # From here on as long as there is: a server may let us wait before it greets, or look into a mail first.
        # `abort` comes before that.
        connected.settimeout(self._deadline.remaining() + _LEAST_SECONDS)
        self._host = host
        return self._implicit.wrap_socket(connected, server_hostname=host) if self._implicit else connected


def _encoded(text: str) -> str:
    """Encode for a login; bytes of the environment that aren't UTF-8 are sent as they are."""
    return base64.b64encode(text.encode(errors="surrogateescape")).decode()


def _expect(smtp: smtplib.SMTP, wanted: int, command: str, name: str) -> None:
    code, words = smtp.docmd(command)
    if code != wanted and not (name == "RCPT" and code == 251):  # noqa: PLR2004 - "will forward"
        _refuse(code, words, name)


def _end(smtp: "_Smtp") -> None:
    """Send the dot, and hear what became of the mail."""
    try:
        smtp.send(b".\r\n")
        code, words = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unconfirmable(f"the mail server took it and did not answer: {describe_failure(error)}") from None
    if 400 <= code <= 599 and not smtp.is_over:  # noqa: PLR2004 - refusals, RFC 5321
        _refuse(code, words, "the text")
    if code != 250:  # noqa: PLR2004 - done, RFC 5321
        # smtplib takes a line that broke off for a whole one.
        raise Unconfirmable("the mail server took it, and its answer broke off")


def _refuse(code: int, words: bytes, name: str) -> None:
    """Divide a refusal by whom it is about."""
    # It begins each line, or only the last; Cisco's gateways write a # before it.
    found = re.search(rb"(?m)^#?([245]\.\d{1,3}\.\d{1,3})\b", words)
    enhanced = found[1].decode() if found else ""
    problem = f"the mail server replied to {name} with {code} {enhanced}".rstrip()
    if not 500 <= code <= 599:  # noqa: PLR2004 - permanent, RFC 5321
        raise NotDelivered(problem)
    raise (DeliveryRefused if _is_about_recipient(code, enhanced, name) else ChannelDown)(problem)


def _is_about_recipient(code: int, enhanced: str, name: str) -> bool:
    """Say whether no settings of ours can change it. What names nobody is about us, save at the recipient's command."""
    if name == "MAIL" or enhanced in _ABOUT_SENDER:
        return False
    if enhanced.startswith(("5.1.", "5.2.")):  # Address, mailbox.
        return True
    is_ours = enhanced.startswith(("5.3.", "5.7."))  # The server itself, policy.
    return name == "RCPT" and code in _MAILBOX_CODES and not is_ours
