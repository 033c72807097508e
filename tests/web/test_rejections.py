"""A flood of rejections is logged once immediately, then once a minute. Hints name wrong clocks and secrets."""

import json
from datetime import timedelta
from time import time

import pytest
import redis
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from service.records.processes import Processes
from service.web.rejections import Rejections
from tests.polling import eventually
from tests.processes import PUBLIC_URL

HOUR = timedelta(hours=1)


def test_flood_is_logged_at_once_and_then_once_a_minute() -> None:
    rejections = Rejections(every=timedelta(milliseconds=200))
    with capture_logs() as lines:
        rejections.note("webhook.rejected", "no header", status=401)
        assert [line["status"] for line in lines] == [401]
        for _ in range(999):
            rejections.note("webhook.rejected", "no header", status=401)
        eventually(lambda: sum(line.get("times", 0) for line in lines) == 999)
        assert len(lines) < 50


def test_first_rejection_after_quiet_minute_is_logged_at_once() -> None:
    rejections = Rejections(every=timedelta(milliseconds=1))
    with capture_logs() as lines:
        rejections.note("a", "b")
        eventually(lambda: not rejections._counts)
        rejections.note("a", "b")
        assert [line["event"] for line in lines] == ["a", "a"]


def test_kinds_over_limit_are_counted_together() -> None:
    rejections = Rejections(every=HOUR)
    with capture_logs() as lines:
        for number in range(1000):
            rejections.note("a", str(number), secret=number)
    assert len(lines) == 51
    assert lines[-1] == {"event": "a", "problem": "other", "log_level": "warning"}


@pytest.fixture
def refused(client: FlaskClient) -> list[str]:
    """Webhooks signed long ago, with another key, and not at all."""
    for header in ("t=1,v1=" + "0" * 64, f"t={_now()},v1={'0' * 64}", None):
        headers = {"X-DIXA-SIGNATURE": header} if header else {}
        for _ in range(2):
            response = client.post("/webhooks/dixa", base_url=PUBLIC_URL, json={}, headers=headers)
            assert response.status_code == 401
    processes: Processes = client.application.extensions["afterword"].processes
    processes.write("web")
    return [*map(str, processes.find_disagreements())]


def _now() -> int:
    return int(time() * 1000)


def test_hints_of_wrong_clock_and_secret_are_kept(refused: list[str]) -> None:
    assert refused == [
        "webhooks refused in the last hour: 2, signed at a time too far from ours. Check the clock of the web's host",
        (
            "webhooks refused in the last hour: 2, signed with an unknown key. "
            "Copy the key that Dixa shows into DIXA_WEBHOOK_SECRETS"
        ),
    ]


def test_log_has_one_line_per_kind(client: FlaskClient, keys: redis.Redis) -> None:
    with capture_logs() as lines:
        for _ in range(50):
            client.post("/webhooks/dixa", base_url=PUBLIC_URL, json={})
    assert len(lines) == 1


def test_processes_key_stays_small(client: FlaskClient, keys: redis.Redis) -> None:
    rejections: Rejections = client.application.extensions["afterword"].rejections
    for _ in range(5000):
        rejections.suspect("x")
    processes: Processes = client.application.extensions["afterword"].processes
    processes.write("web")
    [written] = keys.hvals("afterword:processes")
    assert json.loads(written)["suspicions"] == {"x": 1000}
