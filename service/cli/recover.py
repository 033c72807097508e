"""`afterword recover`: find closes whose webhook never arrived, and take them."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Event

import click

from config.settings import Settings
from service.cli.context import open_client, open_records, open_settings, warn_if_paused
from service.cli.estimate import confirm, spell
from service.cli.output import say, say_all
from service.cli.params import read_since
from service.dixa.closes import DixaCloses
from service.dixa.errors import NoSlot, TokenRefused
from service.dixa.factory import open_dixa
from service.dixa.low_priority import LowPriorityDixa
from service.intake.intake import Intake, NotKept
from service.intake.missed import Found, MissedCloses, SeenClose
from service.records.missed import MissedBookmark
from service.rules.identity import Identities
from service.surveys.errors import CallError, Refused, RetryLater

_SHARE = 0.2
"""The share of DIXA_PACE. The calls of the workers come first."""
_MAX_CALLS = 2
"""The conversation and its requester."""
_REPORT_EACH = 1000


@click.command(short_help="Take closes whose webhook never arrived.")
@click.option("--since", type=read_since, default="6h", show_default=True, metavar="DURATION", help="How far back.")
@click.option("--yes", is_flag=True, help="Start without confirmation.")
def recover(since: timedelta, *, yes: bool) -> None:
    """Take the closes that Dixa has and no record knows, with all rules. A second time changes nothing."""
    settings = open_settings()
    recovery = _Recovery(settings)
    warn_if_paused(recovery.records)
    until = datetime.now(UTC)
    try:
        found = recovery.find(until - since, until)
        _confirm(recovery, found, is_agreed=yes)
        counted = recovery.take(found)
    except CallError as error:
        raise click.ClickException(f"Dixa is unavailable: {error}. What was taken stays. Run it again.") from error
    except NotKept as error:
        raise click.ClickException(f"Redis is unavailable: {error}. What was taken stays. Run it again.") from error
    say_all(f"{count:>8} {result}" for result, count in counted.items())
    if counted[_TAKEN]:
        say("To see what became of them: afterword list --since 1h, or afterword why")


_TAKEN = "recovered"
_GONE = "open again, anonymised, on record by now, or outside of the subscription's filters"
_UNREADABLE = "not shown by Dixa"


class _Recovery:
    def __init__(self, settings: Settings) -> None:
        client = open_client(settings)
        dixa = open_dixa(settings, client, observes_only=True)
        self.rate = settings.total_rate * _SHARE
        self.records = open_records(settings)
        identities, own = Identities(settings.secret_keys), settings.own_addresses
        intake = Intake(self.records, settings.surveys, None, identities, own_addresses=own)
        low_priority = LowPriorityDixa(dixa, self.rate, Event().wait)
        self._closes = DixaCloses(settings, dixa, low_priority)
        self._missed = MissedCloses(self.records, intake, self._closes)
        self._bookmark = MissedBookmark.beside(self.records)

    def find(self, since: datetime, until: datetime) -> Found:
        """Compare Dixa's closes with the records."""
        if problem := self._closes.problem():
            say(f"{problem}. So every close in Dixa counts.", fg="yellow", err=True)
        say(f"Searching Dixa for conversations closed since {since:%Y-%m-%d %H:%M} UTC …", err=True)
        return self._missed.find(since, until, _Pages())

    def take(self, found: Found) -> Counter[str]:
        """Take the missed closes, with a progress bar. Count the results."""
        counted = Counter[str]()
        try:
            with click.progressbar(found.missed, label="Recovering", file=sys.stderr) as missed:
                for seen in missed:
                    counted[self._take(seen)] += 1
        finally:
            if counted[_TAKEN]:
                self._bookmark.note_missed(counted[_TAKEN])
        return counted

    def _take(self, seen: SeenClose) -> str:
        try:
            return _TAKEN if self._missed.take(seen) else _GONE
        except (NoSlot, TokenRefused):
            raise
        except (Refused, RetryLater):
            # One conversation that Dixa can't show must not end the recovery.
            return _UNREADABLE


class _Pages:
    """Reports the search now and then: an organisation may close tens of thousands a day."""

    def __init__(self) -> None:
        self._reported = 0

    def __call__(self, count: int) -> None:
        """Report each thousand."""
        if count >= self._reported + _REPORT_EACH:
            self._reported = count
            say(f"… {count} so far", err=True)


def _confirm(recovery: _Recovery, found: Found, *, is_agreed: bool) -> None:
    count = len(found.missed)
    seconds = count * _MAX_CALLS / recovery.rate
    estimate = (
        f"{found.among} conversations closed, {count} of them without a record. {_MAX_CALLS} calls each, "
        f"{recovery.rate:.1f} calls a second (a fifth of DIXA_PACE): {spell(seconds)}."
    )
    confirm(estimate, seconds, is_agreed=is_agreed)
