"""A HUP starts the worker anew, as Celery does it, if the settings that it would find can be used."""

import signal
from collections.abc import Callable
from threading import Thread
from typing import Any

import structlog
from celery.signals import worker_ready

from config.loader import SettingsError, read_settings

log = structlog.get_logger()


def keep_settings(tell: Callable[[str], None]) -> None:
    """Keep the worker as it is after a HUP with a mistake in the settings.

    Logs the mistake, and tells it; an empty one when the worker starts anew.
    """

    def guard(**_: Any) -> None:
        start_anew = signal.getsignal(signal.SIGHUP)
        if not callable(start_anew):
            return  # Celery takes no HUP at a terminal.

        def look(number: int) -> None:
            try:
                read_settings()
            except SettingsError as error:
                log.error("settings.refused", problem=str(error), kept="those before")  # noqa: TRY400 - it says it all
                tell(str(error))
            else:
                start_anew(number, None)

        # In a thread: whatever a signal interrupts may be in the middle of a log line.
        signal.signal(signal.SIGHUP, lambda number, _frame: Thread(target=look, args=(number,)).start())

    worker_ready.connect(guard, weak=False)
