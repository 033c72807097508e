"""`afterword pause`, `resume` and `stats`. A pause sends and loses no survey, and every command shows it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.surveys.states import OfferState
from service.web.app import create_app
from tests.cli.conftest import Runner
from tests.harness import AT_ONCE, CSAT, QUICK, BoundlessPace, Story
from tests.polling import eventually
from tests.processes import RedisServer, settings_for
from workers.relay import Relay


def test_no_survey_is_sent_until_resume(run: Runner, story: Story) -> None:
    output = run("pause").output
    survey_id = story.begin()
    story.offering.run(survey_id)
    assert (story.load(survey_id).offer.state, story.dixa.calls) == (OfferState.WAITING, [])
    assert "No survey is sent" in output
    assert "OFFER_MAX_AGE" in output
    assert "Pending surveys: 1." in run("resume").output
    assert story.load(survey_id).offer.state is OfferState.WAITING
    story.records._redis.zadd("afterword:due:offer", {survey_id: 0})
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_survey_waiting_for_its_reminder_is_not_pending(run: Runner, story: Story) -> None:
    survey_id = story.begin(replace(AT_ONCE, reminder=timedelta(days=3)))
    story.run_until(story.offering, survey_id, lambda record: record.offer.state is OfferState.REMINDING)
    story.begin()
    assert "Pending surveys: 1.\n" in run("pause").output
    assert "Pending surveys: 1." in run("resume").output


def test_answer_is_submitted_while_paused(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    run("pause")
    story.answer(survey_id, {CSAT: 5})
    story.submit(survey_id)
    assert [each.value for each in story.dixa.results()] == [5]


def test_second_pause_keeps_the_time_of_the_first(run: Runner, story: Story) -> None:
    run("pause")
    since = story.records.paused_since()
    assert since
    assert datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(minutes=1)
    assert f"Already paused since {since}" in run("pause").output
    assert story.records.paused_since() == since


def test_resume_without_a_pause_reports_it(run: Runner) -> None:
    assert run("resume").output == "Surveys were not paused.\n"


def test_retry_shows_the_pause(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    story.dixa.fails(status=400, call="offer")
    story.ask(survey_id)
    run("pause")
    result = run("retry", survey_id)
    assert result.stderr.startswith("PAUSED since")
    assert result.stdout == f"offer of conversation {survey_id}: due again now.\n"


@pytest.mark.parametrize("command", [["stats"], ["why", "48201"]])
def test_reading_command_shows_the_pause(run: Runner, story: Story, command: list[str]) -> None:
    story.begin()
    assert "PAUSED" not in run(*command).output
    run("pause")
    result = run(*command)
    assert "PAUSED since" in result.output
    assert "afterword resume" in result.output


def test_doctor_warns_of_the_pause(run: Runner, story: Story) -> None:
    run("doctor", "--only", "pause")
    run("pause")
    output = run("doctor", "--only", "pause", fails=True).output
    assert f"warn pause                paused since {story.records.paused_since()}: no surveys are sent. " in output
    assert "To continue: afterword resume" in output


def test_readyz_is_ready_and_shows_the_pause(run: Runner, redis_url: str, story: Story) -> None:
    client = create_app(settings_for(redis_url)).test_client()
    status = client.get("/readyz").json
    assert status
    assert "pause" not in status["degraded"]
    run("pause")
    response = client.get("/readyz")
    assert (response.status_code, response.json and response.json["status"]) == (200, "ready")
    assert response.json
    assert response.json["degraded"]["pause"].startswith(f"paused since {story.records.paused_since()}")


def test_worker_logs_the_pause_once_a_minute(run: Runner, story: Story) -> None:
    relay = Relay(story.records, replace(QUICK, relay_interval=timedelta(milliseconds=1)), BoundlessPace())
    run("pause")
    with capture_logs() as logged:
        relay.start(lambda: 1)
        eventually(lambda: logged)
        relay.loop.stop()
    since = story.records.paused_since()
    assert logged == [
        {"event": "surveys.paused", "since": since, "to_resume": "afterword resume", "log_level": "warning"}
    ]


@pytest.mark.parametrize("command", ["pause", "resume", "stats"])
def test_unavailable_redis_is_reported(run: Runner, own_redis: RedisServer, command: str) -> None:
    own_redis.stop()
    assert "Redis is unavailable" in run(command, fails=True, REDIS_URL=own_redis.url).output


def _count_decisions(keys: redis.Redis, ago: int, **counted: int) -> str:
    day = datetime.now(UTC).date() - timedelta(days=ago)
    for reason, count in counted.items():
        keys.hset(f"afterword:decisions:{day}", reason, count)
    return str(day)


def test_decisions_are_counted_by_day_and_reason(run: Runner, keys: redis.Redis) -> None:
    _count_decisions(keys, 0, asked=12, queue=3, asked_recently=0)
    _count_decisions(keys, 1, queue=40)
    _count_decisions(keys, 7, asked=99)
    lines = [line.split() for line in run("stats").output.splitlines()]
    assert (lines[0][0], lines[0][-1], len(lines[0])) == ("decision", "total", 16)
    assert lines[1] == ["asked", *"······", "12", "12"]
    assert lines[2] == ["queue", *"·····", "40", "3", "43"]
    assert lines[3] == ["all", *"00000", "40", "15", "55"]
    assert len(lines) == 4


def test_more_than_a_week_is_shown_in_several_tables(run: Runner, keys: redis.Redis) -> None:
    _count_decisions(keys, 0, asked=1)
    _count_decisions(keys, 8, not_sampled=2)
    tables = run("stats", "--days", "9").output.split("\n\n")
    assert ["not_sampled" in table for table in tables] == [True, False]


def test_stats_are_printed_as_json(run: Runner, keys: redis.Redis) -> None:
    today, yesterday = _count_decisions(keys, 0, asked=12), _count_decisions(keys, 1)
    assert json.loads(run("stats", "--days", "2", "--json").output) == {yesterday: {}, today: {"asked": 12}}


def test_every_decision_is_counted(run: Runner, story: Story) -> None:
    assert run("stats").output == "No decisions in the last 7 days.\n"
    story.ask(story.begin())
    story.ask(story.begin(channel="PstnPhone"))
    assert "unreachable" in run("stats").output
    today = str(datetime.now(UTC).date())
    assert json.loads(run("stats", "--json").output)[today] == {"asked": 1, "unreachable": 1}
