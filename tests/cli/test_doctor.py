"""`afterword doctor`: a line for each part, and an exit code that a deploy can go by."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from service.records.channels import Channels
from service.records.processes import Processes
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.harness import Story
from tests.processes import RedisServer, cluster_node, free_port


@pytest.fixture
def slow_to_sync(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("appendfsync", "everysec")
    yield
    keys.config_set("appendfsync", "always")


def test_all_is_well(run: Runner) -> None:
    assert [line.split()[:2] for line in run("doctor", DIXA_PACE="9.5/3").output.splitlines()] == [
        ["ok", "settings;"],
        ["ok", "SMS:"],
        ["ok", "Redis:"],
        ["ok", "Dixa:"],
        ["ok", "spool:"],
        ["ok", "surveys:"],
        ["ok", "processes:"],
    ]


@pytest.mark.usefixtures("slow_to_sync")
def test_what_a_redis_can_lose_is_a_warning(run: Runner) -> None:
    told = run("doctor").output
    assert "warn Redis: appendfsync is everysec" in told
    assert "ok   Redis" not in told


@pytest.fixture
def small_plan(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own: the connections of earlier tests would count."""
    server = RedisServer(tmp_path, "--maxclients", "18")
    server.start()
    yield server.url
    server.stop()


def test_a_redis_without_room_for_the_processes_is_warned_of(run: Runner, small_plan: str) -> None:
    told = run("doctor", REDIS_URL=small_plan).output
    assert "warn Redis: Redis takes 18 connections, and Afterword may need 19" in told


def test_a_redis_that_is_away_and_a_token_that_is_refused_fail(run: Runner) -> None:
    away = run("doctor", fails=True, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").output
    refused = run("doctor", fails=True, DIXA_API_TOKEN="another-token", DIXA_PACE="9.5/3").output
    assert "FAIL Redis: " in away
    assert "FAIL Dixa: " in refused
    assert "another-token" not in refused
    # A line for each part, and none of the log's.
    assert [line.split()[0] for line in refused.splitlines()] == ["ok", "ok", "ok", "FAIL", "ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:{port}/9999", "Redis has no database of that number"),
        ("redis://nobody:secret@127.0.0.1:{port}/0", "Redis takes no such user and password"),
        ("rediss://127.0.0.1:{port}/0", "no TLS: nothing answers in it"),
        ("unix:///nowhere/redis.sock", "no such file"),
    ],
)
def test_a_redis_that_can_not_be_used_fails_with_the_reason(
    run: Runner, redis_server: RedisServer, url: str, reason: str
) -> None:
    told = run("doctor", fails=True, REDIS_URL=url.format(port=redis_server.port)).output
    assert told.count(f"({reason})") == 2, told
    assert "secret" not in told


@pytest.fixture
def closed(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("requirepass", "sesame")
    yield
    keys.config_set("requirepass", "")


@pytest.mark.usefixtures("closed")
def test_a_redis_that_wants_a_password_says_so(run: Runner) -> None:
    assert run("doctor", fails=True).output.count("(Redis wants a password)") == 2


def test_a_wrong_token_of_ones_own_holds_nobody_back(run: Runner, story: Story, keys: redis.Redis) -> None:
    run("doctor", fails=True, DIXA_API_TOKEN="another-token")
    assert keys.keys("afterword:pace:*:*") == []
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in run("doctor").output
    assert story.ask(story.begin()).offers


def test_a_busy_dixa_holds_nobody_back_by_a_check(run: Runner, dixa: Sandbox, keys: redis.Redis) -> None:
    dixa.fails(status=429, call="organization")
    assert "FAIL Dixa: Dixa returned 429" in run("doctor", fails=True).output
    assert not keys.exists("afterword:pace:pause")


def test_while_the_workers_token_is_refused_it_says_why_and_tries_ones_own(run: Runner, story: Story) -> None:
    """An operator has just mended the token, and looks whether it is right."""
    trouble = "Dixa returned 401: is DIXA_API_TOKEN right?"
    story.calls._pace.cool_down(story.dixa.token, timedelta(seconds=40), "Dixa returned 401")
    told = run("doctor").output
    assert re.search(rf"warn Dixa: the workers are waiting: {re.escape(trouble)} They retry in (40|[123]\d) s", told)
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in told
    assert "FAIL Dixa: Dixa returned 401" in run("doctor", fails=True, DIXA_API_TOKEN="another-token").output


def test_a_pause_that_dixa_wants_is_no_trouble(run: Runner, story: Story) -> None:
    story.calls._pace.pause(timedelta(seconds=40))
    assert "FAIL Dixa: the pace is used up" in run("doctor", fails=True).output


def test_a_channel_that_is_down_is_told_with_its_reason(run: Runner, keys: redis.Redis) -> None:
    assert "channel" not in run("doctor").output
    Channels(keys).failed("email", "48213", "the mail server returned 535")
    told = run("doctor").output
    assert re.search(r'warn channel "email" is down since .* UTC: the mail server returned 535\.', told)


def test_who_is_at_work_is_told_and_where_they_do_not_agree(run: Runner, keys: redis.Redis) -> None:
    assert "ok   processes: none running" in run("doctor").output
    Processes(keys, {"SECRET_KEYS": "another"}).write("worker")
    told = run("doctor").output
    assert re.search(r"ok   processes: worker on \S+$", told, re.MULTILINE)
    assert "warn SECRET_KEYS is not the same in all processes (worker on " in told


def test_a_redis_cluster_fails(run: Runner, tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server:
        assert "FAIL Redis: this is a Redis Cluster" in run("doctor", fails=True, REDIS_URL=server.url).output


LONG = """
[[survey]]
name = "long"
stop_line = true
[survey.words.el]
message = "Πείτε μας πώς τα πήγαμε:"
[[survey]]
name = "mails"
stop_line = true
deliver = ["email"]
[[survey]]
name = "chats"
stop_line = true
[survey.match]
channels = ["WIDGET_CHAT"]
"""
MAIL = {"SMTP_URL": "smtp://localhost", "MAIL_FROM": "survey@northwind.example"}


def of_sms(told: str) -> list[str]:
    return [line for line in told.splitlines() if line[5:8] == "SMS"]


def test_what_an_sms_costs_is_told_by_language(run: Runner) -> None:
    """Two signed links are 240 characters; of Greek letters a segment takes 70, and 67 if there are several."""
    (told,) = of_sms(run("doctor", surveys=LONG, **MAIL).output)
    assert told.startswith('warn SMS: survey "long": an SMS takes more than one segment in ')
    assert " en (2)" in told
    assert re.search(r" el \([45]\)", told)
    assert told.endswith("SHORT_LINKS=on makes it shorter.")


def test_with_short_links_it_is_told_of_own_words_alone(run: Runner) -> None:
    told = of_sms(run("doctor", surveys=LONG, SHORT_LINKS="on", **MAIL).output)
    assert len(told) == 1
    assert told[0].startswith('warn SMS: survey "long": ')
    assert " el (3)" in told[0]
    assert "en (" not in told[0]
    assert of_sms(run("doctor", SHORT_LINKS="on").output)[0].startswith("ok   SMS: one segment in en")


def test_whoever_sends_no_sms_is_told_nothing_of_them(run: Runner) -> None:
    assert of_sms(run("doctor", surveys='[[survey]]\ndeliver = ["email"]', **MAIL).output) == []


def test_a_stop_line_without_short_links_is_warned_of(run: Runner) -> None:
    assert 'warn survey "long": stop_line without SHORT_LINKS' in run("doctor", surveys=LONG, **MAIL).output
    assert "stop_line" not in run("doctor", surveys=LONG, SHORT_LINKS="on", **MAIL).output


def test_each_of_several_tokens_is_tried(run: Runner, dixa: Sandbox) -> None:
    dixa.api.tokens = (dixa.token, "another-token")
    told = run("doctor", DIXA_API_TOKEN=f"{dixa.token},another-token").output
    dixa.api.tokens = (dixa.token,)
    assert "ok   Dixa: token 2 of 2 belongs to Nordlys Outdoor" in told
    told = run("doctor", fails=True, DIXA_API_TOKEN=f"{dixa.token},another-token").output
    assert "ok   Dixa: token 1 of 2 belongs to Nordlys Outdoor" in told
    assert "FAIL Dixa: Dixa returned 401 to token 2 of DIXA_API_TOKEN: is it right?" in told


def test_an_outage_of_dixa_is_told(run: Runner, story: Story, keys: redis.Redis, dixa: Sandbox) -> None:
    """By `check` and `why`, which look for themselves and change nothing of it."""
    waiting = [story.begin() for _ in range(6)]
    dixa.outage()
    for survey_id in waiting:
        story.offering.run(survey_id)
    told = "Dixa is down since "
    checked = run("doctor", fails=True).output
    assert f"warn {told}" in checked
    assert "FAIL Dixa: Dixa returned 503" in checked
    assert told in run("why", waiting[0]).output
    assert json.loads(run("why", waiting[0], "--json").output)["dixa_down_since"]
    dixa.outage_is_over()
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in run("doctor").output
    assert keys.exists("afterword:dixa:down")
    story.ask(waiting[0])
    assert told not in run("doctor").output
    assert told not in run("why", waiting[1]).output
    assert json.loads(run("why", waiting[1], "--json").output)["dixa_down_since"] is None
