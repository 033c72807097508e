"""Redacts survey tokens and error texts in the log lines of Flask, gunicorn and gevent, and limits their number."""

import logging
import re

from gevent.hub import Hub  # type: ignore[import-untyped]

from config.log_errors import log_failure
from service.web.rejections import Rejections

_SLASH, _S = r"(?:/|%(?:25)*2f)", r"(?:s|%(?:25)*73)"
_LINK = re.compile(rf"({_SLASH}{_S}{_SLASH}+|cards{_SLASH}[^\s?]*\?)[^\s'\"]+|[\w.-]{{60,}}", re.IGNORECASE)
"""A link with all that follows it, however often its path was escaped; a card's query, which has an address; and
anything as long as a token."""

_UNREADABLE = "Invalid request"
"""The beginning of gunicorn's line for a request that it can't parse. Scanners send many of these."""


class _TokenFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _LINK.sub(lambda found: f"{found[1] or ''}***", record.getMessage()), ()
        return True


class _UnreadableRequestFilter(logging.Filter):
    def __init__(self, rejections: Rejections) -> None:
        super().__init__()
        self._refusals = rejections

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith(_UNREADABLE):
            return True
        self._refusals.note("request.unreadable", "it is no HTTP request, or has odd headers")
        return False


_TOKEN_FILTER = _TokenFilter()


def redact_tokens_in(*logger_names: str) -> None:
    """Redact the tokens in the lines of these loggers.

    gunicorn quotes the request line of each unreadable request, and its access log quotes all. Flask logs the path of
    a failed request.
    """
    for name in logger_names:
        logging.getLogger(name).addFilter(_TOKEN_FILTER)


def count_unreadable_requests(logger_name: str, rejections: Rejections) -> None:
    """Replace this logger's lines about unreadable requests by a count."""
    logging.getLogger(logger_name).addFilter(_UnreadableRequestFilter(rejections))


def log_greenlet_failures() -> None:
    """Log exceptions that ended a greenlet. gevent would print them with their texts, which may quote a customer."""
    Hub.print_exception = lambda _hub, _context, *raised: log_failure("greenlet", raised)
