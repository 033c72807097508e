"""Sends a digest to its receivers, each at most once for a day."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Final

import structlog

from config.settings import Settings
from service.delivery.outbound import Outbound
from service.digest.content import read_digest
from service.digest.schedule import week_until
from service.digest.text import Letter
from service.doctor.installation import Installation
from service.records.digest_slots import DigestSlots
from service.surveys.errors import CallError, DeliveryRefused, NotDelivered, NotNow
from service.surveys.mailbox import Mailbox
from service.surveys.ports import Deadline

log = structlog.get_logger()

_BUDGET: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver of the digest: a mailbox, or Slack."""

    mailbox: Mailbox | None = None
    slack_url: str = ""

    @property
    def kind(self) -> str:
        """What it is, without a secret."""
        return "email" if self.mailbox else "slack"

    def slot(self, day: date) -> str:
        """Return the name of its slot of a day. It shows no address and no URL."""
        text = self.mailbox.address if self.mailbox else self.slack_url
        return f"{day}:{sha256(text.encode()).hexdigest()[:12]}"


def targets_of(settings: Settings) -> list[Target]:
    """Return all receivers of the settings."""
    mailed = [Target(mailbox=each) for each in settings.digest_to or ()]
    return [*mailed, *([Target(slack_url=settings.digest_slack_url)] if settings.digest_slack_url else [])]


class DigestSender:
    """Writes digests and sends them."""

    def __init__(self, settings: Settings, installation: Callable[[], Installation], slots: DigestSlots) -> None:
        self._settings = settings
        self._installation = installation
        self._slots = slots

    def write(self, day: date) -> Letter:
        """Write the digest of the seven days before a day. Raises ArchiveUnavailable or RecordsUnavailable."""
        # SQLAlchemy takes 15 MB.
        from service.archive.engine import open_engine  # noqa: PLC0415
        from service.archive.reading import reading  # noqa: PLC0415

        settings, now = self._settings, datetime.now(UTC)
        with reading(open_engine(settings.archive_url or "")) as connection:
            digest = read_digest(connection, self._installation(), week_until(day, settings.time_zone), now)
        return Letter.of(settings, digest)

    def send_due(self, day: date) -> bool:
        """Send the digest of a day to those who have not had it. Return whether nothing is left to try.

        The slot is taken before: a digest that may have been sent isn't sent again.
        """
        left = [each for each in targets_of(self._settings) if not self._slots.is_taken(each.slot(day))]
        if not left:
            return True
        letter, is_over = self.write(day), True
        for target in left:
            slot = target.slot(day)
            if not self._slots.take(slot):
                continue
            try:
                self.send(letter, target, day)
            except (NotDelivered, NotNow) as error:
                # It is certain that nobody has it.
                self._slots.release(slot)
                is_over = False
                log.warning("digest.not_sent", to=target.kind, problem=str(error))
            except CallError as error:
                what = "digest.refused" if isinstance(error, DeliveryRefused) else "digest.unconfirmed"
                log.error(what, to=target.kind, problem=str(error))  # noqa: TRY400 - the problem says it
            else:
                log.info("digest.sent", to=target.kind)
        return is_over

    def send(self, letter: Letter, target: Target, day: date) -> None:
        """Send it to one receiver now. Raises a CallError."""
        deadline = Deadline(_BUDGET)
        mail = self._settings.mail
        if target.mailbox and mail:
            from service.delivery.email.smtp import send_message  # noqa: PLC0415 - 3 MB

            content = letter.as_email(mail.sender, target.mailbox, day)
            send_message(mail.server, mail.sender.address, target.mailbox.address, content, deadline)
        elif target.slack_url:
            body = json.dumps({"text": letter.as_slack()}).encode()
            Outbound(target.slack_url).post(body, {}, deadline)


def send_now(sender: DigestSender, letter: Letter, targets: list[Target], day: date) -> Iterator[tuple[Target, str]]:
    """Send to each receiver, whoever had it before. Yield each with its problem, or with ""."""
    for target in targets:
        try:
            sender.send(letter, target, day)
        except CallError as error:
            yield target, str(error)
        else:
            yield target, ""
