"""Restarts the worker at a HUP, as Celery does, but only if the new settings are valid."""

import signal
from collections.abc import Callable
from threading import Thread
from typing import Any

import structlog
from celery.signals import worker_ready

from config.loader import SettingsError, read_settings

log = structlog.get_logger()


def keep_settings(report: Callable[[str], None]) -> None:
    """Ignore a HUP while the settings have a mistake. Log the mistake and pass it to `report`."""

    def guard(**_: Any) -> None:
        restart = signal.getsignal(signal.SIGHUP)
        if not callable(restart):
            return  # Celery takes no HUP at a terminal.

        def check(number: int) -> None:
            try:
                read_settings()
            except SettingsError as error:
                log.error("settings.refused", problem=str(error), kept="previous settings")  # noqa: TRY400 - it says it all
                report(str(error))
            else:
                restart(number, None)

        # A signal may interrupt a log line, and the log's lock is not reentrant. So the check runs in a thread.
        signal.signal(signal.SIGHUP, lambda number, _frame: Thread(target=check, args=(number,)).start())

    worker_ready.connect(guard, weak=False)
