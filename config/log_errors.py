"""What a log says of an exception: its type, why where that can be told, and where it was raised. Never its text.

A library's text may quote a password, a link, an address or what a customer wrote; so may what a library says of an
exception in words of its own.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from traceback import format_tb
from types import TracebackType
from typing import Any

import structlog

from config.failures import describe_failure

_SHORT = 3
"""Up to so many characters a text is replaced where it stands alone."""

_Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def show_exception(exc_info: _Raised) -> str:
    """Render what Python has of an exception as a traceback without texts, with all that it was raised for."""
    return "\n".join(_blocks(exc_info[1], set()))


def _blocks(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    of_group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for inner in (before, *of_group):
        if inner is not None and id(inner) not in seen:
            yield from _blocks(inner, seen)
    place = "".join(format_tb(error.__traceback__))
    yield f"Traceback (most recent call last):\n{place}{describe_failure(error)}"


class _Word(str):
    __slots__ = ()
    __repr__ = str.__str__


_HIDDEN = _Word("…")


class HidesTexts(logging.Filter):
    """Takes the texts of exceptions out of what a library logs; an event of ours is a dict, and is left alone.

    While there is an exception, nobody can tell which of a line's words are its: only numbers stay, and the line's own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, changed where it has to be."""
        if isinstance(record.msg, dict):
            return True
        given = list(record.args.values()) if isinstance(record.args, dict) else list(record.args or ())
        around = (record.exc_info and record.exc_info[1], sys.exception(), record.msg, *given)
        errors = [error for each in around if isinstance(each, BaseException) for error in _chain(each)]
        if errors:
            is_named = record.exc_info or any(isinstance(each, BaseException) for each in given)
            record.msg = _without_texts(record.msg, errors) + ("" if is_named else f" ({describe_failure(errors[0])})")
            if isinstance(record.args, dict):
                record.args = {name: _shown(each) for name, each in record.args.items()}
            else:
                record.args = tuple(map(_shown, given))
        return True


def _shown(value: object) -> object:
    if isinstance(value, BaseException):
        return _Word(describe_failure(value))
    return value if isinstance(value, int | float) else _HIDDEN


def _without_texts(line: object, errors: list[BaseException]) -> str:
    """Replace what a line that a library has put together itself repeats of these exceptions."""
    text = str(line)
    found = {words: type(error).__name__ for error in errors for words in (repr(error), str(error), *_words(error))}
    for words in sorted(filter(None, found), key=len, reverse=True):
        # A short one stands in many a word, and a number in another: the 1 of an exit in the line's process ids.
        pattern = re.escape(words) if len(words) > _SHORT else rf"(?<!\w){re.escape(words)}(?!\w)"
        text = re.sub(pattern, found[words], text)
    return text


def _words(error: BaseException) -> Iterator[str]:
    return (each for each in error.args if isinstance(each, str))


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            of_group = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
            waiting += [inner for inner in (each.__cause__, each.__context__, *of_group) if inner]


class Lines(logging.StreamHandler[Any]):
    """Writes lines. Python's own handler would print the arguments of a line that it can't write."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        """Say that a line is lost, and whose it was."""
        raised = sys.exception()
        kind = type(raised).__name__ if raised else "an error"
        with suppress(OSError):  # Nor has that room, perhaps.
            sys.stderr.write(f"A log line of {record.name}, {record.pathname}:{record.lineno}, is lost: {kind}\n")


def log_what_nobody_caught() -> None:
    """Log exceptions that ended the process, a thread or a finaliser; Python would print them with their texts."""
    sys.excepthook = lambda *raised: log_failure("process", raised)
    threading.excepthook = lambda raised: log_failure("thread", raised)
    sys.unraisablehook = lambda raised: log_failure("finaliser", raised)


def log_failure(of: str, raised: Any) -> None:
    """Log an exception that ended something; `raised` begins with its type, itself and its traceback."""
    kind, error, trace = raised[:3]
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger().error(f"{of}.failed", exc_info=(kind, error, trace))
