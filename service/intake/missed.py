"""Missed closes: those that Dixa has and no webhook brought. They are taken like any other.

A close is missed if no record knows it: no record of its conversation at all, or only one of an earlier close.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from service.intake.intake import Intake
from service.records.queries import KnownClose
from service.records.records import Records
from service.surveys.model import Close

SAME_CLOSE: Final = timedelta(minutes=2)
"""As in accept.lua: a close that was looked up, and its event, may differ by this."""
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class SeenClose:
    """A close in Dixa: its time if known, and its facts as far as the delivery log has them."""

    conversation_id: int
    closed_at: datetime | None = None
    close: Close | None = None


class ClosesInDixa(Protocol):
    """Dixa's side. Each call raises a CallError unless it succeeds."""

    def problem(self) -> str:
        """Return why no webhook can be missed, such as that nobody has subscribed to them. Empty if one can."""

    def seen(self, since: datetime, until: datetime) -> Iterator[Sequence[SeenClose]]:
        """Yield the closes between two times, page by page. One may come several times."""

    def facts(self, seen: SeenClose) -> Close | None:
        """Return a close with all facts, or None if nobody is to be asked about it any more."""


@dataclass(frozen=True, slots=True)
class Found:
    """The missed closes of a stretch of time, and how many conversations with a close Dixa has."""

    missed: tuple[SeenClose, ...]
    among: int


class MissedCloses:
    """Finds missed closes, and takes them. A second time finds nothing more."""

    def __init__(self, records: Records, intake: Intake, dixa: ClosesInDixa) -> None:
        self._records = records
        self._intake = intake
        self._dixa = dixa

    def find(self, since: datetime, until: datetime, on_page: Callable[[int], object] = lambda _count: None) -> Found:
        """Find the missed closes between two times, oldest first. Raises RecordsUnavailable and CallError.

        Calls `on_page` after each page, with the number of conversations so far.
        """
        latest: dict[int, SeenClose] = {}
        for page in self._dixa.seen(since, until):
            for each in page:
                latest[each.conversation_id] = _choose(latest.get(each.conversation_id), each)
            on_page(len(latest))
        missed = self._without_record(latest, since)
        return Found(tuple(sorted(missed, key=lambda each: each.closed_at or since)), len(latest))

    def take(self, seen: SeenClose) -> bool:
        """Take a missed close. Return False if there is none any more.

        Raises RecordsUnavailable, NotKept and CallError; nothing was written then.
        """
        close = self._dixa.facts(seen)
        if close is None:
            return False
        # The webhook may have arrived since, or this time is more exact than that of the search.
        known = self._records.known_closes([close.conversation_id]).get(close.conversation_id)
        if _is_known(known, close.closed_at, close.event_id):
            return False
        self._intake.take_close(close)
        return True

    def _without_record(self, latest: Mapping[int, SeenClose], since: datetime) -> Iterator[SeenClose]:
        every = [*latest]
        for numbers in (every[start : start + _BATCH] for start in range(0, len(every), _BATCH)):
            known = self._records.known_closes(numbers)
            for each in map(latest.__getitem__, numbers):
                event_id = each.close.event_id if each.close else ""
                if not _is_known(known.get(each.conversation_id), each.closed_at or since, event_id):
                    yield each


def _choose(known: SeenClose | None, other: SeenClose) -> SeenClose:
    """Return the later of two closes of a conversation. Of the same one, return that with facts."""
    if known is None or known.closed_at is None:
        return other if known is None or other.closed_at or other.close else known
    if other.closed_at is None:
        return known
    if abs(other.closed_at - known.closed_at) <= SAME_CLOSE:
        return known if known.close else other
    return other if other.closed_at > known.closed_at else known


def _is_known(known: KnownClose | None, closed_at: datetime, event_id: str) -> bool:
    if known is None:
        return False
    is_same = bool(event_id) and event_id == known.event_id
    # A record made from a link has no close. It still prevents a second offer.
    return is_same or known.at is None or closed_at <= known.at + SAME_CLOSE
