"""The view "Today" answers whether it is well, and what is due."""

from datetime import UTC, datetime, timedelta
from time import time
from zoneinfo import ZoneInfo

import pytest
import redis
from flask.testing import FlaskClient

from service.records.measurements import Measurements
from service.records.processes import Processes
from service.surveys.definition import Survey
from service.web.operator import today
from tests.harness import Story
from tests.web.operator.pages import words
from tests.web.operator.test_failed import fail
from tests.web.operator.window_client import act, look, make_window

VIEW = "/operator"
COPENHAGEN = ZoneInfo("Europe/Copenhagen")


@pytest.fixture(autouse=True)
def fresh_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(today, "MAX_AGE_SECONDS", 0.0)


def start(keys: redis.Redis, *roles: str) -> None:
    """Report processes, as they do themselves."""
    for role in roles:
        Processes(keys, {}, webhook_at=time).write(role)


def test_without_workers_something_is_broken(window: FlaskClient) -> None:
    text = words(look(window, VIEW).text)
    assert "Something is broken" in text
    assert "Fault worker.alive no worker is running" in text
    assert "Workers 0" in text
    assert "Last webhook none yet" in text


def test_a_warning_is_no_fault(window: FlaskClient, keys: redis.Redis) -> None:
    start(keys, "web", "worker")
    text = words(look(window, VIEW).text)
    assert "Something needs a look" in text
    assert "Warning spool off." in text
    assert "Workers 1 heard from within 0 s" in text
    assert "Last webhook 0 s ago" in text


def test_all_is_well(redis_url: str, keys: redis.Redis, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.doctor.spool._FLEETING", set())
    start(keys, "web", "worker")
    text = words(look(make_window(redis_url, SPOOL_DIR=str(tmp_path)), VIEW).text)
    assert "All is well" in text
    assert "In the spool 0" in text


def test_it_counts_what_waits_and_what_has_failed(window: FlaskClient, story: Story) -> None:
    day = datetime.now(UTC).date()
    fail(story)
    for days in (0, 1, 1, 30):
        story.begin(Survey(delay=timedelta(days=days)), closed_at=datetime.now(UTC))
    text = words(look(window, VIEW).text)
    assert "Failed 1" in text
    assert "Waiting surveys 4" in text
    assert "Later 1" in text
    if datetime.now(UTC).date() == day:
        assert "Tomorrow: 2 ." in text
        assert "0 of 1 conversations were asked." in text


def test_days_are_those_of_the_time_zone(story: Story) -> None:
    """From the last minute of a day on to the first of the next one, in Copenhagen, where a day had 25 hours."""
    measurements = Measurements.beside(story.records)
    midnights = [datetime(2026, 10, day, tzinfo=COPENHAGEN).astimezone(UTC) for day in (25, 26)]
    key = f"{story.records._prefix}due:offer"
    for number, (midnight, offset) in enumerate((each, ms) for each in midnights for ms in (-1, 0)):
        due_at = midnight + timedelta(milliseconds=offset)
        story.records._redis.zadd(key, {str(number): round(due_at.timestamp() * 1000)})
    assert measurements.count_due(midnights) == [1, 2, 1]
    assert midnights[1] - midnights[0] == timedelta(hours=25)


def test_surveys_are_paused_and_resumed(window: FlaskClient, story: Story) -> None:
    response = act(window, VIEW, {"sending": "pause"})
    assert response.status_code == 303
    assert story.records.paused_since()
    page = look(window, response.headers["Location"]).text
    assert "Surveys are paused." in page
    assert "No survey is sent since" in page
    assert ">Resume</button>" in page
    response = act(window, VIEW, {"sending": "resume"})
    assert story.records.paused_since() is None
    assert "Surveys are sent again." in look(window, response.headers["Location"]).text


def test_a_post_of_something_else_changes_nothing(window: FlaskClient, story: Story) -> None:
    assert act(window, VIEW, {"sending": "nonsense"}).status_code == 303
    assert story.records.paused_since() is None


def test_one_who_may_look_can_not_pause(window: FlaskClient, story: Story) -> None:
    assert act(window, VIEW, {"sending": "pause"}, name="ben").status_code == 403
    assert story.records.paused_since() is None
    assert "<button" not in look(window, VIEW, "ben").text
