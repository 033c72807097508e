"""Fetches the names of agents and queues from Dixa once a day, in one worker."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Final

from config.settings import Settings
from service.dixa.client import DixaClient
from service.dixa.low_priority import LowPriorityDixa
from service.records.background import BackgroundLoop, LogEvents
from service.records.names import Names, NamesInDixa
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.surveys.errors import CallError

_INTERVAL: Final = timedelta(minutes=10)
_SHARE: Final = 0.1
"""The share of DIXA_PACE."""
_MAX_PAGES: Final = 1000


class _Stopping(Exception):
    """The worker stops. The names are fetched when the next one starts."""


class NamesLoop:
    """Runs in the thread of `loop`. `open_calls` returns a client at low priority, given how to wait."""

    def __init__(
        self, names: Names, dixa: DixaClient, open_calls: Callable[[Callable[[float], object]], LowPriorityDixa]
    ) -> None:
        self._names = names
        self._dixa = dixa
        self._open_calls = open_calls
        self._is_stopping = Event()
        self.loop = BackgroundLoop(
            self.step,
            _INTERVAL,
            LogEvents("names.failed", "names.recovered", "names.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable | CallError | _Stopping) else "",
        )

    def start(self) -> None:
        """Begin at once."""
        self.loop.wake()
        self.loop.start("names")

    def stop(self) -> None:
        """End soon. A wait for the rate limit ends at once."""
        self._is_stopping.set()
        self.loop.stop()

    def step(self) -> None:
        """Fetch the names, unless another worker does or they are fresh."""
        if not self._names.claim():
            return
        calls = self._open_calls(self._wait)
        queues = calls.call(self._dixa.queues)
        agents: dict[str, str] = {}
        page_key: str | None = None
        for _ in range(_MAX_PAGES):
            page, page_key = calls.call(partial(self._dixa.agents, page_key=page_key))
            agents |= page
            if page_key is None:
                break
        self._names.store(NamesInDixa(agents, queues))

    def _wait(self, seconds: float) -> None:
        if self._is_stopping.wait(seconds):
            raise _Stopping


def open_names_loop(settings: Settings, records: Records, dixa: DixaClient) -> NamesLoop:
    """Make the loop. `dixa` pauses nobody else when it is refused."""
    rate = settings.total_rate * _SHARE
    return NamesLoop(Names.beside(records), dixa, lambda wait: LowPriorityDixa(dixa, rate, wait))
