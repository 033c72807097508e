"""The last sieve before Sentry: it keeps known parts of an event, without what looks like a secret or an address."""

import pytest

from config.error_reports import _sieve
from config.loader import SettingsError, read_settings
from tests.config.test_settings import GOOD

TOKEN = "lpKlNDgyMTPNvFWo.ZmlsbGVk-" * 4


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hunter2@127.0.0.1:6379/0",
        "password=hunter2",
        "mail to hunter2@example.com failed",
        "GET /s/hunter2",
        f"{TOKEN}hunter2",
    ],
)
def test_texts_that_look_secret_are_masked_everywhere(text: str) -> None:
    exception = {"values": [{"type": "ValueError", "value": text, "stacktrace": {"frames": [{"function": text}]}}]}
    event = {"message": text, "logger": text, "extra": {text: [text, {"a": (text,)}]}, "exception": exception}
    assert "hunter2" not in repr(_sieve(event))


@pytest.mark.parametrize(
    "part", ["request", "user", "breadcrumbs", "contexts", "tags", "modules", "threads", "stacktrace", "spans"]
)
def test_other_parts_of_an_event_are_dropped(part: str) -> None:
    assert _sieve({"message": "task.failed", part: {"x": "y"}}) == {"message": "task.failed"}


@pytest.mark.parametrize(
    "text", ["sentry", "https://sentry.example.com/1", "ftp://key@sentry.example.com/1", "https://k@s/x"]
)
def test_other_than_a_dsn_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="SENTRY_DSN: is not a"):
        read_settings(GOOD | {"SENTRY_DSN": text})
