"""Sends the weekly digest, from one of the workers."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from config.settings import Settings
from service.archive.engine import ArchiveUnavailable
from service.digest.schedule import LATEST, last_due
from service.digest.send import DigestSender
from service.doctor.installation import open_installation
from service.records.background import BackgroundLoop, LogEvents
from service.records.confirmation import ConfirmingRedis
from service.records.digest_slots import DigestSlots
from service.records.records import Records
from service.records.redis import RecordsUnavailable

_INTERVAL: Final = timedelta(minutes=5)


class DigestLoop:
    """Runs in the thread of `loop`."""

    def __init__(self, settings: Settings, sender: DigestSender) -> None:
        self._settings = settings
        self._sender = sender
        self._over: datetime | None = None
        self.loop = BackgroundLoop(
            self.step,
            _INTERVAL,
            LogEvents("digest.failed", "digest.recovered", "digest.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable | ArchiveUnavailable) else "",
        )

    def start(self) -> None:
        """Begin with a look at the time."""
        self.loop.wake()
        self.loop.start("digest")

    def stop(self) -> None:
        """End after the current step."""
        self.loop.stop()

    def step(self, now: datetime | None = None) -> timedelta | None:
        """Send the digest if it is due. A failure is tried again at the next step, for a day."""
        moment, settings = now or datetime.now(UTC), self._settings
        due = last_due(settings.digest_at, settings.time_zone, moment)
        if due != self._over and moment - due <= LATEST and self._sender.send_due(due.date()):
            self._over = due
        return None


def open_digest_loop(settings: Settings, client: ConfirmingRedis, records: Records) -> DigestLoop:
    """Make the loop."""
    opened = partial(open_installation, settings, client, records)
    return DigestLoop(settings, DigestSender(settings, opened, DigestSlots.beside(records)))
