"""A view of the operator's window makes at most three round trips to Redis, and never scans it."""

from functools import partial
from pathlib import Path

import pytest

from service.doctor.last_run import LastRun, LastRuns
from service.records.processes import Processes
from service.sandbox.server import Sandbox
from tests.costs.meter import Meter
from tests.harness import Story
from tests.moments import moment
from tests.processes import RedisServer, patient
from tests.web.operator.filled_window import fill
from tests.web.operator.test_failed import fail, fail_answer
from tests.web.operator.window_client import look, make_window

VIEWS = (
    "/operator",
    "/operator/funnel",
    "/operator/results",
    "/operator/answers",
    "/operator/story?q={0}",
    "/operator/failed",
    "/operator/set-up",
)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_makes_three_round_trips_and_no_scan(
    own_redis: RedisServer, dixa: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, view: str
) -> None:
    client = patient(own_redis.url)
    story = Story(client, "afterword:", dixa)
    for _ in range(3):
        fail(story)
    survey_id = fail_answer(story)
    Processes(client, {}, surveys_file="[[survey]]").write("worker")
    LastRuns.beside(story.records).write(LastRun(moment(), "host", []))
    archive = f"sqlite:///{tmp_path}/archive.db"
    fill(archive, [])
    window = make_window(own_redis.url, ARCHIVE_URL=archive)
    # The first one opens connections, checks the password, and makes the findings that all views share for ten seconds.
    assert look(window, "/operator").status_code == 200
    monkeypatch.setattr("service.web.operator.today.MAX_AGE_SECONDS", 3600.0)
    meter = Meter(own_redis.url, dixa, monkeypatch)
    cost = meter.measure(partial(look, window, view.format(survey_id)))
    assert 0 < cost.round_trips <= 3, "\n".join(meter.commands)
    assert not [each for each in meter.commands if "SCAN" in each or "KEYS" in each]
    client.close()
