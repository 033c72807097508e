"""Reports errors to Sentry, where SENTRY_DSN is set: whatever the log has at the level `error`, and nothing more.

A report is made of a line of the log. Sentry's own ways to collect facts (integrations, breadcrumbs, local variables,
request data) are off: they would take links, comments and passwords.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from traceback import walk_tb
from typing import Any, Final

from config.failures import describe_failure
from config.log_errors import exceptions_of
from config.logging import mask_passwords, on_error

_LONG = re.compile(r"[\w.-]{60,}|(?<=/s/)[^\s'\"]+|[^\s<>\"',;()]+@[^\s<>\"',;()]+")
"""What has no place in an event: a token, what follows `/s/`, an e-mail address, a login in a URL."""
_KEPT: Final = ("event_id", "timestamp", "platform", "level", "release", "server_name", "sdk")
_CLEANED: Final = ("logger", "message", "extra", "exception")
_NOT_EXTRA: Final = {"event", "level", "logger", "timestamp", "exc_info", "stack_info", "stack"}


def open_reports(dsn: str | None, process: str) -> None:
    """Report the errors of this process from now on. Call it in the process that reports, not before a fork."""
    if dsn is None:
        return
    # Only here: without SENTRY_DSN it needn't be installed, and takes no memory.
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415

    sentry_sdk.init(
        dsn=dsn,
        release=f"afterword@{version('afterword')}",
        # It sends what waits at the end of the process. Its callback would print to stderr.
        integrations=[AtexitIntegration(callback=lambda _pending, _timeout: None)],
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        propagate_traces=False,
        send_client_reports=False,
        send_default_pii=False,
        server_name=process,
        before_send=lambda event, _hint: _sieve(event),
    )
    on_error(lambda fields: sentry_sdk.capture_event(_event_of(fields)))


def _event_of(fields: Mapping[str, Any]) -> Any:
    """Return the event of a log line."""
    raised = fields.get("exc_info")
    error = sys.exception() if raised is True else raised[1] if isinstance(raised, tuple) else raised
    extra = {name: value for name, value in fields.items() if name not in _NOT_EXTRA}
    event = {
        "message": str(fields.get("event")),
        "level": "fatal" if fields.get("level") == "critical" else "error",
        "logger": fields.get("logger"),
        "extra": extra,
    }
    if isinstance(error, BaseException):
        event["exception"] = {"values": [*map(_exception, exceptions_of(error))]}
    return event


def _exception(error: BaseException) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "value": describe_failure(error),
        "stacktrace": {"frames": [*_frames(error)]},
    }


def _frames(error: BaseException) -> Iterator[dict[str, Any]]:
    for frame, line in walk_tb(error.__traceback__):
        code = frame.f_code
        module = frame.f_globals.get("__name__")
        yield {"filename": code.co_filename, "function": code.co_name, "module": module, "lineno": line}


def _sieve(event: Mapping[str, Any]) -> Any:
    """Return an event with known parts only, and without what looks like a link, an address or a password."""
    kept = {name: event[name] for name in _KEPT if name in event}
    return kept | {name: _clean(event[name]) for name in _CLEANED if name in event}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _LONG.sub("***", mask_passwords(value))
    if isinstance(value, Mapping):
        return {_clean(name): _clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_clean, value)]
    return value if value is None or isinstance(value, int | float) else _clean(repr(value))
