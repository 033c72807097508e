"""Calls to Dixa for work without urgency: a small share of the rate limit, after everybody else, with retries."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TypeVar

from service.dixa.client import DixaClient
from service.dixa.errors import NoSlot, TokenRefused
from service.surveys.errors import RetryLater
from service.surveys.ports import Deadline, Page, Slot

_CALL = timedelta(seconds=15)
_MAX_PAUSE_SECONDS = 5.0
_MAX_WAIT_SECONDS = 300.0
"""For one slot. It covers the longest pause after a 429."""

_MAX_TRIES = 4
_MIN_PAUSE_SECONDS = 0.05

Result = TypeVar("Result")


class LowPriorityDixa:
    """Makes one query after the other, at most `rate` a second. Takes a slot only if nobody waits for it."""

    def __init__(self, dixa: DixaClient, rate: float, wait: Callable[[float], object]) -> None:
        self._dixa = dixa
        self._interval = 1 / rate
        self._wait = wait
        self._next_at = monotonic()

    def call(self, query: Callable[[Slot], Result]) -> Result:
        """Make a query, up to four times. Raises Refused, or RetryLater after the last try."""
        for failures in range(1, _MAX_TRIES):
            try:
                return query(self._take_slot())
            except (NoSlot, TokenRefused):
                raise
            except RetryLater as error:
                pause = error.retry_in.total_seconds() if error.retry_in else 2.0**failures / 2
                self._wait(min(pause, _MAX_PAUSE_SECONDS))
        return query(self._take_slot())

    def search(self, since: datetime, until: datetime) -> Iterator[Page]:
        """Yield the conversations closed between two times, page by page."""
        search = partial(self._dixa.closed_between, since=since, until=until)
        key: str | None = None
        while True:
            page = self.call(partial(search, page_key=key))
            yield page
            if not page.ids or page.next_key in (None, key):
                return
            key = page.next_key

    def _take_slot(self) -> Slot:
        self._wait(max(0.0, self._next_at - monotonic()))
        give_up_at = monotonic() + _MAX_WAIT_SECONDS
        while True:
            try:
                slot = self._dixa.take_slot(Deadline(_CALL), timedelta())
            except NoSlot as error:
                if monotonic() >= give_up_at:
                    raise
                pause = error.retry_in.total_seconds() if error.retry_in else 0.0
                self._wait(min(max(pause, _MIN_PAUSE_SECONDS), _MAX_PAUSE_SECONDS))
            else:
                self._next_at = monotonic() + self._interval
                return slot
