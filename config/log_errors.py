"""Logs exceptions without their texts: only type, known reason and traceback.

The text of an exception may quote a password, a link, an address or a comment. So may a library's log line about it.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from traceback import format_tb
from types import TracebackType
from typing import Any

import structlog

from config.failures import causes_of, describe_failure

_MAX_SHORT = 3
"""Texts of up to so many characters are replaced only as whole words."""

_Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def format_exception(exc_info: _Raised) -> str:
    """Return a traceback without the texts of exceptions, causes included."""
    return "\n".join(map(_block, exceptions_of(exc_info[1])))


def exceptions_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception after its causes, in the order of a traceback."""
    yield from _in_order(error, set())


def _in_order(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    of_group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for inner in (before, *of_group):
        if inner is not None and id(inner) not in seen:
            yield from _in_order(inner, seen)
    yield error


def _block(error: BaseException) -> str:
    place = "".join(format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{place}{describe_failure(error)}"


class _Word(str):
    """A text without quotes in `%r`."""

    __slots__ = ()
    __repr__ = str.__str__


_HIDDEN = _Word("…")


class ExceptionTextFilter(logging.Filter):
    """Removes the texts of exceptions from the log lines of libraries.

    A line that is logged while an exception is handled may quote any part of it in its arguments. So of the arguments
    only numbers stay.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record, without the texts of exceptions."""
        given = list(record.args.values()) if isinstance(record.args, dict) else list(record.args or ())
        around = (record.exc_info and record.exc_info[1], sys.exception(), record.msg, *given)
        errors = [error for each in around if isinstance(each, BaseException) for error in causes_of(each)]
        if errors:
            is_named = record.exc_info or any(isinstance(each, BaseException) for each in given)
            record.msg = _without_texts(record.msg, errors) + ("" if is_named else f" ({describe_failure(errors[0])})")
            if isinstance(record.args, dict):
                record.args = {name: _hide(each) for name, each in record.args.items()}
            else:
                record.args = tuple(map(_hide, given))
        return True


def _hide(value: object) -> object:
    if isinstance(value, BaseException):
        return _Word(describe_failure(value))
    return value if isinstance(value, int | float) else _HIDDEN


def _without_texts(line: object, errors: list[BaseException]) -> str:
    """Replace the texts of these exceptions in a finished line by their types."""
    text = str(line)
    found = {words: type(error).__name__ for error in errors for words in (repr(error), str(error), *_words(error))}
    for words in sorted(filter(None, found), key=len, reverse=True):
        # A short text occurs inside words, too: the 1 of SystemExit(1) in a process id.
        pattern = re.escape(words) if len(words) > _MAX_SHORT else rf"(?<!\w){re.escape(words)}(?!\w)"
        text = re.sub(pattern, found[words], text)
    return text


def _words(error: BaseException) -> Iterator[str]:
    return (each for each in error.args if isinstance(each, str))


class LineHandler(logging.StreamHandler[Any]):
    """Writes log lines. If writing fails, Python's own handler prints the arguments of the line to stderr."""

    def write_line(self, line: str, logger_name: str) -> None:
        """Write a finished line."""
        with self.lock or nullcontext():
            try:
                self.stream.write(f"{line}\n")
                self.flush()
            except Exception:  # noqa: BLE001 - as logging does
                report_lost_line(logger_name)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        """Report the lost line by its place only."""
        report_lost_line(f"{record.name}, {record.pathname}:{record.lineno},")


def report_lost_line(place: str) -> None:
    """Report to stderr a line that could not be written, by its place and the type of the error being handled."""
    raised = sys.exception()
    kind = type(raised).__name__ if raised else "an error"
    with suppress(OSError):  # If the disk is full, stderr may be, too.
        sys.stderr.write(f"A log line of {place} is lost: {kind}\n")


def log_uncaught() -> None:
    """Log exceptions that ended the process, a thread or a finaliser. Python would print them with their texts."""
    sys.excepthook = lambda *raised: log_failure("process", raised)
    threading.excepthook = lambda raised: log_failure("thread", raised)
    sys.unraisablehook = lambda raised: log_failure("finaliser", raised)


def log_failure(of: str, raised: Any) -> None:
    """Log an exception that ended something. `raised` begins with type, exception and traceback."""
    kind, error, trace = raised[:3]
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger().error(f"{of}.failed", exc_info=(kind, error, trace))
