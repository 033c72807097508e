"""Log lines: their form, and no passwords in them."""

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.logging import mask_passwords, set_up_logging

PASSWORD = "hunter2"
TOUCHED = ("", "celery", "celery.task", "gunicorn.error", "gunicorn.access", "werkzeug", "urllib3", "kombu", "amqp")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Restore logging for the tests that follow."""
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    config = structlog.get_config()
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_event_is_one_json_line_with_bound_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")
    structlog.contextvars.bind_contextvars(survey_id="s1")
    structlog.get_logger("service").info("offer.created", conversation_id=48213, note="two\nlines")
    (line,) = lines(capsys)
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "offer.created",
        "level": "info",
        "logger": "service",
        "survey_id": "s1",
        "conversation_id": 48213,
        "note": "two\nlines",
    }


def test_event_is_of_the_module_that_logs_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")
    structlog.get_logger().info("once")
    (line,) = lines(capsys)
    assert json.loads(line)["logger"] == __name__


def test_later_set_up_counts_for_a_logger_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")
    log = structlog.get_logger()
    log.info("first")
    set_up_logging("console", "WARNING")
    log.info("dropped")
    log.warning("second")
    first, second = lines(capsys)
    assert json.loads(first)["event"] == "first"
    assert "second" in second
    assert not second.startswith("{")


def test_event_that_cannot_be_written_is_reported_by_its_logger(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")
    structlog.get_logger("service").info("lost", by={object(): "a key that is no text"})
    assert capsys.readouterr().err == "A log line of service is lost: TypeError\n"


@pytest.mark.parametrize("name", ["celery", "celery.task", "gunicorn.error", "werkzeug"])
def test_library_with_its_own_handler_is_logged_once_in_our_format(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger(name).handlers = [logging.StreamHandler()]
    logging.getLogger(name).propagate = False
    set_up_logging("json", "INFO")
    logging.getLogger(name).warning("lost %s", "it")
    (line,) = lines(capsys)
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == ("lost it", "warning", name)
    assert event["timestamp"].endswith("Z")


def test_console_format_is_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("console", "INFO")
    structlog.get_logger().warning("offer.refused", status=400)
    (line,) = lines(capsys)
    assert "offer.refused" in line
    assert "status=400" in line
    assert not line.startswith("{")


FOREIGN = "ev\x1b[2Jil\r\n\x9b31m\u202egone"


def test_control_characters_are_escaped_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("console", "INFO")
    structlog.get_logger().info(FOREIGN, event_name=FOREIGN, names=[FOREIGN], given={FOREIGN: FOREIGN})
    logging.getLogger("gunicorn.access").info("%s", FOREIGN)
    try:
        int(FOREIGN)
    except ValueError:
        structlog.get_logger().exception("failed", of=FOREIGN)
    of_event, of_access, *of_failure = lines(capsys)
    assert len(of_failure) > 2, "a traceback is still a block"
    for line in (of_event, of_access, of_failure[0]):
        assert r"ev\u001b[2Jil\r\n\u009b31m\u202egone" in line
    assert not set("\x1b\r\x9b\u202e") & set("".join([of_event, of_access, *of_failure]))


def test_lines_below_the_level_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "WARNING")
    structlog.get_logger().info("quiet")
    logging.getLogger("celery").info("quiet")
    assert lines(capsys) == []


def test_werkzeug_does_not_log_paths_of_links(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "DEBUG")
    logging.getLogger("werkzeug").info('"GET /s/token HTTP/1.1" 200 -')
    assert lines(capsys) == []


def test_second_set_up_does_not_log_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", "INFO")
    set_up_logging("json", "INFO")
    structlog.get_logger().info("once")
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://:pass@host/0", "redis://***@host/0"),
        ("redis://user:p@ss@host", "redis://***@host"),
        ('redis://:p"a\\ss@host', "redis://***@host"),
        ("a redis://:x@one, b rediss://y@two", "a redis://***@one, b rediss://***@two"),
        ("redis://host?password=pass&db=1", "redis://host?password=***&db=1"),
        ("https://host/path?mail=a@b", "https://host/path?mail=a@b"),
        ("nothing here", "nothing here"),
    ],
)
def test_passwords_in_urls_are_masked(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked


@given(st.text(st.characters(exclude_characters="/?#", exclude_categories=["Z", "C"]), min_size=1))
def test_no_password_is_logged(password: str) -> None:
    assert mask_passwords(f"to redis://:{password}@redis.example:6379.") == "to redis://***@redis.example:6379."
