"""The closes that Dixa has, to compare with the records: by search, and looked up one by one."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from service.dixa.client import DixaClient
from service.dixa.close_lookup import CloseLookup
from service.dixa.low_priority import LowPriorityDixa
from service.intake.missed import SeenClose
from service.surveys.model import Close
from service.surveys.states import FoundBy


class DixaCloses:
    """Dixa's side of the search for missed closes. Each method raises a CallError unless it succeeds."""

    def __init__(self, dixa: DixaClient, low_priority: LowPriorityDixa) -> None:
        self._low_priority = low_priority
        self._lookup = CloseLookup(dixa, low_priority)

    def seen(self, since: datetime, until: datetime) -> Iterator[Sequence[SeenClose]]:
        """Yield the closes between two times, page by page."""
        for page in self._low_priority.search(since, until):
            yield [SeenClose(number) for number in page.ids]

    def facts(self, seen: SeenClose) -> Close | None:
        """Return a close with all facts, or None if the conversation is open again or anonymised."""
        if seen.close:
            return self._lookup.with_requester(seen.close)
        return self._lookup.close(self._lookup.conversation(seen.conversation_id), FoundBy.SEARCH)
