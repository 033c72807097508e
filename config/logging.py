"""Logging: one line per event on stdout, as JSON in production or readable on a terminal.

Code that logs must leave out secrets and personal data itself. Two things are ensured here: exceptions are logged
without their texts (`config.log_errors`), and passwords in URLs are masked.
"""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.invisible import escape_invisible
from config.log_errors import ExceptionTextFilter, LineHandler, format_exception, log_uncaught

_CREDENTIALS = re.compile(r"://[^\s/?#]*@")
_PASSWORD = re.compile(r"\b(password=)[^\s&#\"']+", re.IGNORECASE)
_OWN_HANDLERS = ("celery", "celery.task", "gunicorn.error", "gunicorn.access", "werkzeug")
_MULTILINE = {"exception", "stack"}
_MIN_LEVELS = {
    "werkzeug": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "urllib3": logging.INFO,
    "kombu": logging.INFO,
    "amqp": logging.INFO,
}
"""The lowest level of noisy loggers. werkzeug's lines contain the secret paths of links."""


def set_up_logging(log_format: str, level: str) -> None:
    """Log all events, ours and those of libraries, to stdout as `log_format` (`json` or `console`).

    The entry module of a process calls this after gunicorn or Celery have set up their logging. It may be called again.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    # One handler for our events and for the lines of libraries ("foreign" in structlog).
    handler = LineHandler(sys.stdout)
    handler.addFilter(ExceptionTextFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(), processors=_rendering(log_format))
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        # gunicorn and Celery attach handlers with formats of their own.
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name, lowest in _MIN_LEVELS.items():
        logging.getLogger(name).setLevel(max(lowest, root.level))
    log_uncaught()


def mask_passwords(text: str) -> str:
    """Mask user and password of every URL: `redis://:secret@host` becomes `redis://***@host`."""
    return _PASSWORD.sub(r"\1***", _CREDENTIALS.sub("://***@", text))


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
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_escape_fields, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(format_exception),
        *renderers,
        _mask_line,
    ]


def _escape_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape invisible characters, as JSON does. Tracebacks are safe, and keep their line breaks."""
    return {
        name: escape_invisible(fact) if isinstance(fact, str) and name not in _MULTILINE else fact
        for name, fact in event.items()
    }


def _mask_line(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """Mask the finished line, so that no field is forgotten. After the renderer, an event is a text."""
    return mask_passwords(str(line))
