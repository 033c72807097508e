"""How events are logged: one line each on stdout, JSON in production, readable in a terminal.

Secrets and people are kept out by the code that logs, not here; but what libraries say of exceptions is cut down to
types and places (`config.log_errors`), and addresses with a password are masked.
"""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.log_errors import HidesTexts, Lines, log_what_nobody_caught, show_exception
from config.unseen import show_unseen

_CREDENTIALS = re.compile(r"://[^\s/?#]*@")
_PASSWORD = re.compile(r"\b(password=)[^\s&#\"']+", re.IGNORECASE)
_WITH_HANDLERS = ("celery", "celery.task", "gunicorn.error", "gunicorn.access", "werkzeug")
_BLOCKS = {"exception", "stack"}
_CHATTY = {
    "werkzeug": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "urllib3": logging.INFO,
    "kombu": logging.INFO,
    "amqp": logging.INFO,
}
"""Loggers that are kept above a level: werkzeug's lines have the paths of links, the others' are of no use."""


def set_up_logging(log_format: str, level: str) -> None:
    """Send everything that is logged, by us and by libraries, to stdout as `log_format` (`json` or `console`).

    To be called once a process, by its entry module, after gunicorn or Celery have set up theirs. Again is harmless.
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
    handler = Lines(sys.stdout)
    handler.addFilter(HidesTexts())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(), processors=_rendering(log_format))
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _WITH_HANDLERS:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name, lowest in _CHATTY.items():
        logging.getLogger(name).setLevel(max(lowest, root.level))
    log_what_nobody_caught()


def mask_passwords(text: str) -> str:
    """Hide the user and password of every URL in a text: `redis://:secret@host` becomes `redis://***@host`."""
    return _PASSWORD.sub(r"\1***", _CREDENTIALS.sub("://***@", text))


def _shared() -> list[Processor]:
    """What every event gets, whether it is ours or a library's."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(log_format: str) -> list[Processor]:
    """From an event to its line."""
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_show_what_is_unseen, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(show_exception),
        *renderers,
        _mask_line,
    ]


def _show_what_is_unseen(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what would act on a terminal, as JSON does; tracebacks are ours, and have several lines."""
    return {
        name: show_unseen(fact) if isinstance(fact, str) and name not in _BLOCKS else fact
        for name, fact in event.items()
    }


def _mask_line(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """Mask the finished line, so that no field is forgotten; after the renderer an event is its text."""
    return mask_passwords(str(line))
