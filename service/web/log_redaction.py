"""What other people's code would say of our links and errors in the log, and how often, and must not."""

import logging
import re

from gevent.hub import Hub  # type: ignore[import-untyped]

from config.log_errors import log_failure
from service.web.rejections import Rejections

_SLASH, _S = r"(?:/|%(?:25)*2f)", r"(?:s|%(?:25)*73)"
_LINK = re.compile(rf"({_SLASH}{_S}{_SLASH}+)[^\s'\"]+|[\w.-]{{60,}}", re.IGNORECASE)
"""A link however its path is escaped, with all that follows, and whatever else is as long as a token."""

_CANT_READ = "Invalid request"
"""How gunicorn's line for a request begins that it can't read; whoever sends rubbish sends much of it."""


class _HidesLinks(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _LINK.sub(lambda found: f"{found[1] or ''}***", record.getMessage()), ()
        return True


class _CountsRubbish(logging.Filter):
    def __init__(self, rejections: Rejections) -> None:
        super().__init__()
        self._refusals = rejections

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith(_CANT_READ):
            return True
        self._refusals.note("request.unreadable", "it is no HTTP request, or has odd headers")
        return False


_HIDES_LINKS = _HidesLinks()


def redact_tokens_in(*logger_names: str) -> None:
    """Mask the tokens of links that these loggers quote.

    Gunicorn repeats every request line that it can't read, and in its access log all others. Flask names the path of a
    request that failed.
    """
    for name in logger_names:
        logging.getLogger(name).addFilter(_HIDES_LINKS)


def count_unreadable_requests(logger_name: str, rejections: Rejections) -> None:
    """Count the requests that this logger says it can't read, instead of a line for each."""
    logging.getLogger(logger_name).addFilter(_CountsRubbish(rejections))


def log_greenlet_failures() -> None:
    """Log exceptions that ended a greenlet; gevent would print them with their texts."""
    Hub.print_exception = lambda _hub, _context, *raised: log_failure("greenlet", raised)
