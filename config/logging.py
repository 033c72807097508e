"""Logging: one line per event on stdout, as JSON in production or readable on a terminal.

Code that logs must leave out secrets and personal data itself. Two things are ensured here: exceptions are logged
without their texts (`config.log_errors`), and passwords in URLs are masked.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.invisible import escape_invisible
from config.log_errors import (
    ExceptionTextFilter,
    LineHandler,
    format_exception,
    log_uncaught,
    report_lost_line,
)

_CREDENTIALS = re.compile(r"://[^\s/?#]*@")
_PASSWORD = re.compile(r"\b(password=)[^\s&#\"']+", re.IGNORECASE)
_OWN_HANDLERS = ("celery", "celery.task", "gunicorn.error", "gunicorn.access", "werkzeug")
_MULTILINE = {"exception", "stack"}
_ENCODER = json.JSONEncoder(default=repr)
_LEVELS = structlog.processors.NAME_TO_LEVEL
_ROOT = logging.getLogger()
_HANDLER = LineHandler()
"""Writes all lines, ours and those of libraries."""
_HANDLER.addFilter(ExceptionTextFilter())
_MIN_LEVELS = {
    "werkzeug": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "urllib3": logging.INFO,
    "kombu": logging.INFO,
    "amqp": logging.INFO,
}
"""The lowest level of noisy loggers. werkzeug's lines contain the secret paths of links."""

_steps: list[Any] = []
"""The steps from an event to its line, of the latest set-up."""
_listeners: list[Callable[[EventDict], object]] = []
"""Who gets the errors beside the log."""


def on_error(report: Callable[[EventDict], object]) -> None:
    """Pass the fields of each line at the level `error` or above to `report`, too."""
    _listeners.append(report)


def set_up_logging(log_format: str, level: str) -> None:
    """Log all events, ours and those of libraries, to stdout as `log_format` (`json` or `console`).

    The entry module of a process calls this after gunicorn or Celery have set up their logging. It may be called again.
    """
    rendering = _rendering(log_format)
    _steps[:] = [*_shared(), *rendering]
    _HANDLER.stream = sys.stdout
    _HANDLER.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    _ROOT.handlers = [_HANDLER]
    _ROOT.setLevel(level)
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=_Logger,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )
    for name in _OWN_HANDLERS:
        # gunicorn and Celery attach handlers with formats of their own.
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name, lowest in _MIN_LEVELS.items():
        logging.getLogger(name).setLevel(max(lowest, _ROOT.level))
    log_uncaught()


class _Logger:
    """Writes our events. structlog calls the method of the level. The standard library's records would cost thrice."""

    def __init__(self, *name: str) -> None:
        # Without a name, structlog finds the module that logs.
        self.name = structlog.stdlib.LoggerFactory(ignore_frame_names=[__name__])(*name).name

    def write(self, line: str) -> None:
        """Write a finished line."""
        _HANDLER.write_line(line, self.name)

    debug = info = warning = error = critical = write


def _render(logger: _Logger, method: str, event: EventDict) -> str:
    """Return an event as a line. An error here must not end what logs."""
    if _ROOT.level > _LEVELS[method]:
        raise structlog.DropEvent
    rendered: Any = event
    try:
        for step in _steps:
            rendered = step(logger, method, rendered)
    except Exception:  # noqa: BLE001 - whatever the text of a field raises
        report_lost_line(logger.name)
        raise structlog.DropEvent from None
    return str(rendered)


def mask_passwords(text: str) -> str:
    """Mask user and password of every URL: `redis://:secret@host` becomes `redis://***@host`."""
    if "://" in text:
        text = _CREDENTIALS.sub("://***@", text)
    return _PASSWORD.sub(r"\1***", text) if "word=" in text.lower() else text


def _shared() -> list[Processor]:
    """Return the processors of all events, ours and those of libraries."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(log_format: str) -> list[Processor]:
    """Return the processors that turn an event into a line."""
    renderers: list[Processor] = (
        [_to_json]
        if log_format == "json"
        else [_escape_fields, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    return [
        _report_error,
        structlog.processors.ExceptionRenderer(format_exception),
        *renderers,
        _mask_line,
    ]


def _report_error(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _listeners and _LEVELS.get(str(event.get("level", method)), 0) >= logging.ERROR:
        for report in _listeners:
            # A report must not cost the line.
            with suppress(Exception):
                report(event)
    return event


def _to_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


def _escape_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape invisible characters, as JSON does. Tracebacks are safe, and keep their line breaks."""
    return {
        name: escape_invisible(fact) if isinstance(fact, str) and name not in _MULTILINE else fact
        for name, fact in event.items()
    }


def _mask_line(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """Mask the finished line, so that no field is forgotten. After the renderer, an event is a text."""
    return mask_passwords(str(line))


_PROCESSORS: list[Any] = [_render]
"""Loggers keep this list from their first event on, so it is one for all set-ups."""
