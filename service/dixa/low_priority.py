"""Asks Dixa for work that can wait: at a share of the pace, after everybody else, and again after a failure."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from service.dixa.client import DixaClient
from service.dixa.errors import NoSlot, TokenRefused
from service.surveys.errors import RetryLater
from service.surveys.ports import Deadline, Slot

_CALL = timedelta(seconds=15)
_LONGEST_WAIT_SECONDS = 5.0
_PATIENCE_SECONDS = 300.0
"""How long one slot is waited for: after a 429 everybody is held back for a while."""

_FAILURES = 4

Result = TypeVar("Result")


class LowPriorityDixa:
    """One question after the other, `rate` a second at most. A slot is taken only when nobody waits for it."""

    def __init__(self, dixa: DixaClient, rate: float, wait: Callable[[float], object]) -> None:
        self._dixa = dixa
        self._interval = 1 / rate
        self._wait = wait
        self._next_at = monotonic()

    def ask(self, question: Callable[[Slot], Result]) -> Result:
        """Ask, some times if need be. Raises Refused, or RetryLater when it is of no use."""
        for failures in range(1, _FAILURES):
            try:
                return question(self._slot())
            except (NoSlot, TokenRefused):
                raise
            except RetryLater as error:
                pause = error.retry_in.total_seconds() if error.retry_in else 2.0**failures / 2
                self._wait(min(pause, _LONGEST_WAIT_SECONDS))
        return question(self._slot())

    def _slot(self) -> Slot:
        self._wait(max(0.0, self._next_at - monotonic()))
        given_up_at = monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                slot = self._dixa.take_slot(Deadline(_CALL), timedelta())
            except NoSlot as error:
                if monotonic() >= given_up_at:
                    raise
                wanted = error.retry_in.total_seconds() if error.retry_in else 0.0
                self._wait(min(max(wanted, 0.05), _LONGEST_WAIT_SECONDS))
            else:
                self._next_at = monotonic() + self._interval
                return slot
