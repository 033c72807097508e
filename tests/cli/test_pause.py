"""`afterword pause`, `resume` and `stats`: no survey is sent meanwhile, nothing is lost, and every command shows it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.surveys.states import Journey, OfferState
from service.web.app import create_app
from tests.cli.conftest import Runner
from tests.harness import AT_ONCE, CSAT, QUICK, BoundlessPace, Story
from tests.polling import eventually
from tests.processes import RedisServer, settings_for
from workers.relay import Relay


def test_nobody_is_asked_until_it_is_resumed(run: Runner, story: Story) -> None:
    said = run("pause").output
    survey_id = story.begin()
    story.offering.run(survey_id)
    assert (story.load(survey_id).offer.state, story.dixa.calls) == (OfferState.WAITING, [])
    assert "No survey is sent" in said
    assert "OFFER_MAX_AGE" in said
    assert "Pending surveys: 1." in run("resume").output
    assert story.load(survey_id).offer.state is OfferState.WAITING
    story.records._redis.zadd("afterword:due:offer", {survey_id: 0})
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_who_has_the_link_and_is_to_be_reminded_does_not_wait(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = story.begin(replace(AT_ONCE, reminder=timedelta(days=3)))
    story.run_until(story.offering, survey_id, lambda record: record.offer.state is OfferState.REMINDING)
    story.begin()
    keys.zadd("afterword:due:offer", {"no-record-any-more": 0})
    assert "Pending surveys: 1.\n" in run("pause").output
    assert "Pending surveys: 1." in run("resume").output


def test_answers_still_reach_dixa(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    run("pause")
    story.answer(survey_id, {CSAT: 5})
    story.submit(survey_id)
    assert [each.value for each in story.dixa.results()] == [5]


def test_a_second_pause_keeps_the_time_of_the_first(run: Runner, story: Story) -> None:
    run("pause")
    since = story.records.paused_since()
    assert since
    assert datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(minutes=1)
    assert f"Already paused since {since}" in run("pause").output
    assert story.records.paused_since() == since


def test_resuming_what_was_not_paused_says_so(run: Runner) -> None:
    assert run("resume").output == "Surveys were not paused.\n"


def test_a_retry_says_that_it_is_paused(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    story.dixa.fails(status=400, call="offer")
    story.ask(survey_id)
    run("pause")
    outcome = run("retry", survey_id)
    assert outcome.stderr.startswith("PAUSED since")
    assert outcome.stdout == f"offer of conversation {survey_id}: due again now.\n"


@pytest.mark.parametrize("command", [["doctor"], ["stats"], ["why", "48201"]])
def test_every_command_that_looks_says_that_it_is_paused(run: Runner, story: Story, command: list[str]) -> None:
    story.begin()
    assert "PAUSED" not in run(*command).output
    run("pause")
    outcome = run(*command)
    assert "PAUSED since" in outcome.output
    assert "afterword resume" in outcome.output


def test_readyz_is_ready_and_names_it(run: Runner, redis_url: str, story: Story) -> None:
    client = create_app(settings_for(redis_url)).test_client()
    asked = client.get("/readyz").json
    assert asked
    assert "surveys" not in asked["degraded"]
    run("pause")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json and answer.json["status"]) == (200, "ready")
    assert answer.json
    assert answer.json["degraded"]["surveys"].startswith(f"paused since {story.records.paused_since()}")


class _NoQueue:
    """Nothing is due: nothing is queued."""

    def publish(self, journey: Journey, survey_id: str) -> None:
        raise AssertionError(survey_id)

    def length(self) -> int:
        return 0


def test_the_workers_log_says_it_again_and_again(run: Runner, story: Story) -> None:
    relay = Relay(story.records, _NoQueue(), replace(QUICK, relay_interval=timedelta(milliseconds=1)), BoundlessPace())
    run("pause")
    with capture_logs() as said:
        relay.start(lambda: 1)
        eventually(lambda: said)
        relay.loop.stop()
    since = story.records.paused_since()
    assert said == [
        {"event": "surveys.paused", "since": since, "to_resume": "afterword resume", "log_level": "warning"}
    ]


@pytest.mark.parametrize("command", ["pause", "resume", "stats"])
def test_without_redis_it_says_so(run: Runner, own_redis: RedisServer, command: str) -> None:
    own_redis.stop()
    assert "Redis is unavailable" in run(command, fails=True, REDIS_URL=own_redis.url).output


def _decided(keys: redis.Redis, ago: int, **counted: int) -> str:
    day = datetime.now(UTC).date() - timedelta(days=ago)
    for reason, count in counted.items():
        keys.hset(f"afterword:decisions:{day}", reason, count)
    return str(day)


def test_decisions_are_counted_by_day_and_reason(run: Runner, keys: redis.Redis) -> None:
    _decided(keys, 0, asked=12, queue=3, asked_recently=0)
    _decided(keys, 1, queue=40)
    _decided(keys, 7, asked=99)
    lines = [line.split() for line in run("stats").output.splitlines()]
    assert (lines[0][0], lines[0][-1], len(lines[0])) == ("decision", "total", 16)
    assert lines[1] == ["asked", *"······", "12", "12"]
    assert lines[2] == ["queue", *"·····", "40", "3", "43"]
    assert lines[3] == ["all", *"00000", "40", "15", "55"]
    assert len(lines) == 4


def test_more_days_are_more_tables(run: Runner, keys: redis.Redis) -> None:
    _decided(keys, 0, asked=1)
    _decided(keys, 8, not_sampled=2)
    tables = run("stats", "--days", "9").output.split("\n\n")
    assert ["not_sampled" in table for table in tables] == [True, False]


def test_counts_for_machines(run: Runner, keys: redis.Redis) -> None:
    today, yesterday = _decided(keys, 0, asked=12), _decided(keys, 1)
    assert json.loads(run("stats", "--days", "2", "--json").output) == {yesterday: {}, today: {"asked": 12}}


def test_what_is_decided_is_counted(run: Runner, story: Story) -> None:
    assert run("stats").output == "No decisions in the last 7 days.\n"
    story.ask(story.begin())
    story.ask(story.begin(channel="PstnPhone"))
    assert "unreachable" in run("stats").output
    today = str(datetime.now(UTC).date())
    assert json.loads(run("stats", "--json").output)[today] == {"asked": 1, "unreachable": 1}
