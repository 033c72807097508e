"""`afterword doctor` prints a line for each part. Its exit code tells a deploy script if a part fails."""

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
def appendfsync_everysec(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("appendfsync", "everysec")
    yield
    keys.config_set("appendfsync", "always")


def test_doctor_prints_a_line_for_each_part(run: Runner) -> None:
    assert [line.split()[:2] for line in run("doctor", DIXA_PACE="9.9/3").output.splitlines()] == [
        ["ok", "settings;"],
        ["ok", "SMS:"],
        ["ok", "Redis:"],
        ["ok", "Dixa:"],
        ["ok", "spool:"],
        ["ok", "surveys:"],
        ["ok", "processes:"],
    ]


@pytest.mark.usefixtures("appendfsync_everysec")
def test_appendfsync_everysec_is_a_warning(run: Runner) -> None:
    output = run("doctor").output
    assert "warn Redis: appendfsync is everysec" in output
    assert "ok   Redis" not in output


@pytest.fixture
def few_connections(tmp_path: Path) -> Iterator[str]:
    """Start a separate Redis: connections of earlier tests would count."""
    server = RedisServer(tmp_path, "--maxclients", "10")
    server.start()
    yield server.url
    server.stop()


def test_low_maxclients_is_a_warning(run: Runner, few_connections: str) -> None:
    output = run("doctor", REDIS_URL=few_connections).output
    assert "warn Redis: Redis takes 10 connections, and Afterword may need 11" in output


def test_unavailable_redis_fails_with_what_to_do(run: Runner) -> None:
    output = run("doctor", fails=True, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0").output
    assert output.splitlines()[-3:] == [
        "FAIL Redis: ConnectionError (connection refused). Check REDIS_URL, and that Redis is running.",
        "skip Dixa: not tested, since Redis failed.",
        "ok   spool: nothing waiting",
    ]


def test_refused_token_fails(run: Runner) -> None:
    refused = run("doctor", fails=True, DIXA_API_TOKEN="another-token", DIXA_PACE="9.9/3").output
    assert "FAIL Dixa: " in refused
    assert "another-token" not in refused
    # One line for each part, and no log line.
    assert [line.split()[0] for line in refused.splitlines()] == ["ok", "ok", "ok", "FAIL", "ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://127.0.0.1:{port}/9999", "Redis has no database of that number"),
        ("redis://nobody:secret@127.0.0.1:{port}/0", "Redis takes no such user and password"),
        ("rediss://127.0.0.1:{port}/0", "no response to the TLS handshake"),
        ("unix:///nowhere/redis.sock", "no such file"),
    ],
)
def test_unusable_redis_fails_with_the_reason(run: Runner, redis_server: RedisServer, url: str, reason: str) -> None:
    output = run("doctor", fails=True, REDIS_URL=url.format(port=redis_server.port)).output
    assert output.count(f"({reason}). ") == 1, output
    assert "secret" not in output


@pytest.fixture
def password_required(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("requirepass", "sesame")
    yield
    keys.config_set("requirepass", "")


@pytest.mark.usefixtures("password_required")
def test_missing_redis_password_fails_with_the_reason(run: Runner) -> None:
    assert "(Redis wants a password). " in run("doctor", fails=True).output


def test_refused_token_sets_no_cooldown_for_the_workers(run: Runner, story: Story, keys: redis.Redis) -> None:
    run("doctor", fails=True, DIXA_API_TOKEN="another-token")
    assert keys.keys("afterword:pace:*:*") == []
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in run("doctor").output
    assert story.ask(story.begin()).offers


def test_429_to_doctor_sets_no_pause_for_the_workers(run: Runner, dixa: Sandbox, keys: redis.Redis) -> None:
    dixa.fails(status=429, call="organization")
    assert "FAIL Dixa: Dixa returned 429" in run("doctor", fails=True).output
    assert not keys.exists("afterword:pace:pause")


def test_cooldown_of_a_token_is_shown_and_the_operators_token_is_tried(run: Runner, story: Story) -> None:
    reason = "Dixa returned 401: is DIXA_API_TOKEN right?"
    story.calls._pace.cool_down(story.dixa.token, timedelta(seconds=40), "Dixa returned 401")
    output = run("doctor").output
    assert re.search(rf"warn Dixa: the workers are waiting: {re.escape(reason)} They retry in (40|[123]\d) s", output)
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in output
    assert "FAIL Dixa: Dixa returned 401" in run("doctor", fails=True, DIXA_API_TOKEN="another-token").output


def test_pause_after_a_429_is_reported_as_used_up_pace(run: Runner, story: Story) -> None:
    story.calls._pace.pause(timedelta(seconds=40))
    assert "FAIL Dixa: the pace is used up" in run("doctor", fails=True).output


def test_failing_channel_is_shown_with_its_reason(run: Runner, keys: redis.Redis) -> None:
    assert "channel" not in run("doctor").output
    Channels(keys).failed("email", "48213", "the mail server returned 535")
    output = run("doctor").output
    assert re.search(r'warn channel "email" is down since .* UTC: the mail server returned 535\.', output)


def test_running_processes_and_different_settings_are_shown(run: Runner, keys: redis.Redis) -> None:
    assert "ok   processes: none running" in run("doctor").output
    Processes(keys, {"SECRET_KEYS": "another"}).write("worker")
    output = run("doctor").output
    assert re.search(r"ok   processes: worker on \S+$", output, re.MULTILINE)
    assert "warn SECRET_KEYS is not the same in all processes (worker on " in output


def test_redis_cluster_fails(run: Runner, tmp_path: Path) -> None:
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


def sms_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line[5:8] == "SMS"]


def test_segments_of_an_sms_are_shown_for_each_language(run: Runner) -> None:
    """Two signed links have 240 characters. A segment has 70 Greek letters, or 67 in a longer message."""
    (line,) = sms_lines(run("doctor", surveys=LONG, **MAIL).output)
    assert line.startswith('warn SMS: survey "long": an SMS takes more than one segment in ')
    assert " en (2)" in line
    assert re.search(r" el \([45]\)", line)
    assert line.endswith("SHORT_LINKS=on makes it shorter.")


def test_with_short_links_only_own_words_need_more_segments(run: Runner) -> None:
    (line,) = sms_lines(run("doctor", surveys=LONG, SHORT_LINKS="on", **MAIL).output)
    assert line.startswith('warn SMS: survey "long": ')
    assert " el (3)" in line
    assert "en (" not in line
    assert sms_lines(run("doctor", SHORT_LINKS="on").output)[0].startswith("ok   SMS: one segment in en")


def test_survey_without_sms_has_no_sms_line(run: Runner) -> None:
    assert sms_lines(run("doctor", surveys='[[survey]]\ndeliver = ["email"]', **MAIL).output) == []


def test_stop_line_without_short_links_is_a_warning(run: Runner) -> None:
    assert 'warn survey "long": stop_line without SHORT_LINKS' in run("doctor", surveys=LONG, **MAIL).output
    assert "stop_line" not in run("doctor", surveys=LONG, SHORT_LINKS="on", **MAIL).output


def test_each_token_is_tried(run: Runner, dixa: Sandbox) -> None:
    dixa.api.tokens = (dixa.token, "another-token")
    output = run("doctor", DIXA_API_TOKEN=f"{dixa.token},another-token").output
    dixa.api.tokens = (dixa.token,)
    assert "ok   Dixa: token 2 of 2 belongs to Nordlys Outdoor" in output
    output = run("doctor", fails=True, DIXA_API_TOKEN=f"{dixa.token},another-token").output
    assert "ok   Dixa: token 1 of 2 belongs to Nordlys Outdoor" in output
    assert "FAIL Dixa: Dixa returned 401 to token 2 of DIXA_API_TOKEN: is it right?" in output


def test_outage_of_dixa_is_shown(run: Runner, story: Story, keys: redis.Redis, dixa: Sandbox) -> None:
    """`doctor` and `why` show the outage and don't change it."""
    waiting = [story.begin() for _ in range(6)]
    dixa.outage()
    for survey_id in waiting:
        story.offering.run(survey_id)
    outage = "Dixa is down since "
    output = run("doctor", fails=True).output
    assert f"warn {outage}" in output
    assert "FAIL Dixa: Dixa returned 503" in output
    assert outage in run("why", waiting[0]).output
    assert json.loads(run("why", waiting[0], "--json").output)["dixa_down_since"]
    dixa.outage_is_over()
    assert "ok   Dixa: the token belongs to Nordlys Outdoor" in run("doctor").output
    assert keys.exists("afterword:dixa:down")
    story.ask(waiting[0])
    assert outage not in run("doctor").output
    assert outage not in run("why", waiting[1]).output
    assert json.loads(run("why", waiting[1], "--json").output)["dixa_down_since"] is None
