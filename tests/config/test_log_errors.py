"""No log line contains the text of an exception."""

import json
import logging
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from config.log_errors import ExceptionTextFilter

SECRET = "hunter2"

LOGGED: dict[str, str] = {
    "our own event": 'ours.exception("redis.lost")',
    "a library's": 'library.exception("lost")',
    "as an argument": 'library.error("lost: %r, again in %d s", error, 5)',
    "as an argument's text": 'library.error("lost: %s", str(error))',
    "as a shortened text": 'library.error("lost: %s…", repr(error)[:24])',
    "as a field": 'library.error("lost: %(exc)s", {"exc": repr(error), "name": "task"}, exc_info=error)',
    "in the line itself": 'library.error(f"lost: {error}")',
    "in the line itself and in part": 'library.error(f"lost: {error.args[0]} and {error!r}")',
    "as the line": "library.error(error)",
    "as a traceback's text": 'library.warning("lost:\\n%s", traceback.format_exc())',
    "as a traceback in the line": 'library.warning("lost:\\n" + traceback.format_exc())',
    "as a warning": 'warnings.warn(RuntimeWarning(f"lost: {error!r}"))',
    "as the cause of another error": "raise_another(error, library)",
    "in a group": 'library.error("lost", exc_info=ExceptionGroup("of " + SECRET, [error]))',
    "with a note": 'error.add_note(SECRET); library.exception("lost")',
    "after its handler": 'later.append(lambda error=error: library.error("lost", exc_info=error))',
    "in a line that can't be written": 'library.error("lost %d", str(error)); library.exception("lost")',
    "uncaught": "raise",
    "by a thread": "in_a_thread(error)",
    "by a greenlet": "log_greenlet_failures(); gevent.spawn(connect, SECRET).join()",
    "by a finaliser": "in_a_finaliser(error)",
}

PROGRAM = """\
import json, logging, os, sys, threading, traceback, warnings
import gevent, structlog
from config.logging import set_up_logging
from service.web.log_redaction import log_greenlet_failures

_, folder, cases, log_format, SECRET = sys.argv
set_up_logging(log_format, "INFO")
logging.captureWarnings(True)
ours, library, later = structlog.get_logger(), logging.getLogger("celery.app.trace"), []


def connect(password):
    raise ConnectionRefusedError(f"no {password} for the host")


def raise_another(error, logger):
    try:
        raise ValueError(f"{error} too") from error
    except ValueError:
        logger.exception("lost")


def in_a_thread(error):
    def fail():
        raise error

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def in_a_finaliser(error):
    class Dying:
        def __del__(self):
            raise error

    Dying()


def log(how):
    try:
        connect(SECRET)
    except ConnectionRefusedError as error:
        exec(how, globals() | {"error": error})
    for each in later:
        each()


for name, how in json.loads(cases).items():
    if not os.fork():
        output = os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        log(how)
        break
    os.wait()
"""


@cache
def run(log_format: str, *names: str) -> dict[str, str]:
    """Return the logs of these cases. One process imports everything, and each case has a fork of it."""
    cases = json.dumps({name: LOGGED[name] for name in names})
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, folder, cases, log_format, SECRET]
        subprocess.run(command, check=True)
        return {each.name: each.read_text(encoding="utf-8") for each in Path(folder).iterdir()}


@pytest.mark.parametrize("how", LOGGED)
def test_exception_is_logged_by_type_without_its_text(how: str) -> None:
    log = run("json", *LOGGED)[how]
    assert SECRET not in log
    assert "ConnectionRefusedError" in log
    assert "Logging error" not in log


def test_line_and_errno_of_an_exception_are_logged() -> None:
    for log in (run("json", *LOGGED)["our own event"], run("console", "our own event")["our own event"]):
        assert "in connect" in log
        assert "ConnectionRefusedError (connection refused)" in log
        assert SECRET not in log


def test_other_words_of_the_line_are_unchanged() -> None:
    assert "lost: ConnectionRefusedError (connection refused), again in 5 s" in run("json", *LOGGED)["as an argument"]


def test_short_text_is_not_replaced_inside_words() -> None:
    line, ended = "Worker exiting (pid: 7711): 1", SystemExit(1)
    record = logging.LogRecord("gunicorn.error", logging.INFO, "", 0, line, (), (SystemExit, ended, None))
    assert ExceptionTextFilter().filter(record)
    assert record.getMessage() == "Worker exiting (pid: 7711): SystemExit"
