"""`afterword doctor` prints a line for each finding. Its exit code tells a deploy script if a check fails."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from service.doctor.checks import CHECKS
from service.records.channels import Channels
from service.records.processes import Processes
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.harness import Story
from tests.processes import RedisServer, cluster_node, free_port

PACE = {"DIXA_PACE": "9.9/3"}
"""As shipped. The tests' own, with which they are quick, is a warning."""


@pytest.fixture
def appendfsync_everysec(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("appendfsync", "everysec")
    yield
    keys.config_set("appendfsync", "always")


def findings(output: str) -> dict[str, list[str]]:
    """Return the levels and texts by id."""
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        if shown := re.fullmatch(r"(ok|warn|fail|skip) +(\S+) +(.*)", line):
            found.setdefault(shown[2], []).append(f"{shown[1]} {shown[3]}")
    return found


def test_each_check_has_a_line_and_the_last_one_counts(run: Runner) -> None:
    """Nothing runs here, and the sandbox has no tags and no subscription."""
    output = run("doctor", fails=True, SPOOL_DIR="off", **PACE).output
    silent = {"smtp", "slack", "webhook.out", "webhook.secret", "webhook.delivery", "redis.sentinels"}
    assert set(findings(output)) == {each.id for each in CHECKS} - silent
    last = "4 fail: worker.alive, dixa.tags, webhook.subscription, public_url. 3 warn: webhook.last, spool, dixa.tags. "
    assert output.splitlines()[-1].startswith(last)


def test_exit_code_tells_warnings_from_failures(run: Runner) -> None:
    assert run("doctor", "--only", "redis.reachable").exit_code == 0
    assert run("doctor", "--only", "spool", fails=True, SPOOL_DIR="off").exit_code == 2
    assert run("doctor", "--only", "worker", fails=True).exit_code == 1


def test_only_takes_a_check_or_a_group(run: Runner) -> None:
    assert [*findings(run("doctor", "--only", "redis.memory").output)] == ["redis.memory"]
    group = findings(run("doctor", "--only", "redis").output)
    assert {"redis.reachable", "redis.persistence"} <= set(group)
    assert "dixa.token" not in group
    output = run("doctor", "--only", "nothing", fails=True).output
    assert "--only nothing is no check. Known: settings, " in output


def test_json_has_the_same_findings(run: Runner) -> None:
    (found,) = json.loads(run("doctor", "--only", "worker", "--json", fails=True).output)
    assert (found["id"], found["level"]) == ("worker.alive", "fail")
    assert "no worker is running" in found["text"]
    assert found["remedy"].startswith("Start the worker")


@pytest.mark.usefixtures("appendfsync_everysec")
def test_appendfsync_everysec_is_a_warning(run: Runner) -> None:
    (found,) = findings(run("doctor", "--only", "redis.persistence", fails=True).output)["redis.persistence"]
    assert found.startswith("warn appendfsync is everysec")


@pytest.fixture
def appendonly_no(keys: redis.Redis) -> Iterator[None]:
    keys.config_set("appendonly", "no")
    yield
    keys.config_set("appendonly", "yes")


@pytest.mark.usefixtures("appendonly_no")
def test_redis_without_aof_fails_until_the_remedy_is_followed(run: Runner, keys: redis.Redis) -> None:
    output = run("doctor", "--only", "redis.persistence", fails=True).output
    assert "fail redis.persistence" in output
    assert "Set appendonly yes" in output
    keys.config_set("appendonly", "yes")
    run("doctor", "--only", "redis.persistence")


@pytest.fixture
def few_connections(tmp_path: Path) -> Iterator[str]:
    """Start a separate Redis: connections of earlier tests would count."""
    server = RedisServer(tmp_path, "--maxclients", "10")
    server.start()
    yield server.url
    server.stop()


def test_low_maxclients_is_a_warning(run: Runner, few_connections: str) -> None:
    output = run("doctor", "--only", "redis.connections", fails=True, REDIS_URL=few_connections).output
    assert "Redis takes 10 connections, and Afterword may need 11" in output


def test_unavailable_redis_fails_with_what_to_do_and_the_rest_is_skipped(run: Runner) -> None:
    output = run("doctor", fails=True, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", **PACE).output
    found = findings(output)
    assert found["redis.reachable"] == [
        "fail ConnectionError (connection refused). Check REDIS_URL, and that Redis is running."
    ]
    assert found["dixa.token"] == ["skip not tested, since redis.reachable failed."]
    assert found["settings"] == ["ok no mistake."]


def test_refused_token_fails_until_another_is_given(run: Runner) -> None:
    refused = run("doctor", "--only", "dixa.token", fails=True, DIXA_API_TOKEN="another-token").output
    assert findings(refused)["dixa.token"][0].startswith("fail Dixa returned 401: is DIXA_API_TOKEN right?")
    assert "another-token" not in refused
    run("doctor", "--only", "dixa.token")


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
    output = run("doctor", "--only", "redis", fails=True, REDIS_URL=url.format(port=redis_server.port)).output
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
    run("doctor", "--only", "dixa.token", fails=True, DIXA_API_TOKEN="another-token")
    assert keys.keys("afterword:pace:*:*") == []
    assert "the token belongs to Nordlys Outdoor" in run("doctor", "--only", "dixa.token").output
    assert story.ask(story.begin()).offers


def test_429_to_doctor_sets_no_pause_for_the_workers(run: Runner, dixa: Sandbox, keys: redis.Redis) -> None:
    dixa.fails(status=429, call="organization")
    assert "Dixa returned 429" in run("doctor", "--only", "dixa.token", fails=True).output
    assert not keys.exists("afterword:pace:pause")


def test_cooldown_of_a_token_is_shown_and_the_operators_token_is_tried(run: Runner, story: Story) -> None:
    story.calls._pace.cool_down(story.dixa.token, timedelta(seconds=40), "Dixa returned 401")
    (found,) = findings(run("doctor", "--only", "dixa.outage", fails=True).output)["dixa.outage"]
    assert re.fullmatch(
        r"warn Dixa returned 401: is DIXA_API_TOKEN right\?\. The workers try again in (40|[123]\d) s\.", found
    )
    assert "the token belongs to Nordlys Outdoor" in run("doctor", "--only", "dixa.token").output
    other = run("doctor", "--only", "dixa.token", fails=True, DIXA_API_TOKEN="another-token").output
    assert "Dixa returned 401" in other


def test_pause_after_a_429_is_reported_as_used_up_pace(run: Runner, story: Story) -> None:
    story.calls._pace.pause(timedelta(seconds=40))
    assert "the pace is used up" in run("doctor", "--only", "dixa.token", fails=True).output


def test_failing_channel_is_shown_with_its_reason(run: Runner, keys: redis.Redis) -> None:
    run("doctor", "--only", "channels")
    Channels(keys).failed("email", "48213", "the mail server returned 535")
    output = run("doctor", "--only", "channels", fails=True).output
    assert re.search(r'channel "email" is down since .* UTC: the mail server returned 535\.', output)


def test_worker_is_missed_until_it_runs(run: Runner, keys: redis.Redis) -> None:
    assert "no worker is running" in run("doctor", "--only", "worker", fails=True).output
    Processes(keys, {}).write("worker")
    output = run("doctor", "--only", "worker").output
    assert re.search(r"worker on \S+, version \S+; heard from within the last \d s\.", output)


def test_worker_that_can_not_read_its_queue_fails(run: Runner, keys: redis.Redis) -> None:
    Processes(keys, {}, queue_problem=lambda: "NoPermissionError").write("worker")
    assert "can't read the queue: NoPermissionError" in run("doctor", "--only", "worker", fails=True).output


def test_different_settings_are_shown(run: Runner, keys: redis.Redis) -> None:
    run("doctor", "--only", "processes")
    Processes(keys, {"SECRET_KEYS": "another"}).write("worker")
    output = run("doctor", "--only", "processes", fails=True).output
    assert "warn processes            SECRET_KEYS is not the same in all processes (worker on " in output


def test_other_surveys_of_a_process_fail(run: Runner, keys: redis.Redis) -> None:
    Processes(keys, {"SURVEYS_FILE": "0badcafe"}).write("web")
    output = run("doctor", "--only", "surveys.running", fails=True).output
    assert re.search(
        r"SURVEYS_FILE is not the same in all processes \(web on \S+: 0badcafe \| this command on ", output
    )


def test_failed_survey_is_shown_until_it_is_retried(run: Runner, story: Story) -> None:
    run("doctor", "--only", "failed")
    survey_id = story.begin()
    story.dixa.fails(status=400, call="offer")
    story.ask(survey_id)
    output = run("doctor", "--only", "failed", fails=True).output
    assert f"1 failed for good: {survey_id}." in output
    run("retry", survey_id)
    run("doctor", "--only", "failed")


def test_overdue_survey_is_shown(run: Runner, story: Story, keys: redis.Redis) -> None:
    run("doctor", "--only", "queue")
    keys.zadd("afterword:due:offer", {story.begin(): (keys.time()[0] - 125) * 1000})
    assert (
        "warn queue.age            a survey has been due for 2 min."
        in run("doctor", "--only", "queue", fails=True).output
    )
    keys.zadd("afterword:due:offer", {"48201": (keys.time()[0] - 3600) * 1000})
    assert (
        "fail queue.age            a survey has been due for 60 min."
        in run("doctor", "--only", "queue", fails=True).output
    )


def test_redis_cluster_fails(run: Runner, tmp_path: Path) -> None:
    with cluster_node(tmp_path) as server:
        output = run("doctor", "--only", "redis.cluster", fails=True, REDIS_URL=server.url).output
    assert "this is a Redis Cluster" in output


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
    return [line for line in output.splitlines() if line[5:8] == "sms"]


def test_segments_of_an_sms_are_shown_for_each_language(run: Runner) -> None:
    """Two signed links have 240 characters. A segment has 70 Greek letters, or 67 in a longer message."""
    (line,) = sms_lines(run("doctor", "--only", "sms", fails=True, surveys=LONG, **MAIL).output)
    assert line.startswith('warn sms                  survey "long": an SMS takes more than one segment in ')
    assert " en (2)" in line
    assert re.search(r" el \([45]\)", line)
    assert line.endswith("SHORT_LINKS=on makes it shorter.")


def test_with_short_links_only_own_words_need_more_segments(run: Runner) -> None:
    (line,) = sms_lines(run("doctor", "--only", "sms", fails=True, surveys=LONG, SHORT_LINKS="on", **MAIL).output)
    assert line.startswith('warn sms                  survey "long": ')
    assert " el (3)" in line
    assert "en (" not in line
    (line,) = sms_lines(run("doctor", "--only", "sms", SHORT_LINKS="on").output)
    assert line.startswith("ok   sms                  one segment in en")


def test_survey_without_sms_has_no_sms_line(run: Runner) -> None:
    assert sms_lines(run("doctor", "--only", "sms", surveys='[[survey]]\ndeliver = ["email"]', **MAIL).output) == []


def test_stop_line_without_short_links_is_a_warning(run: Runner) -> None:
    output = run("doctor", "--only", "settings", fails=True, surveys=LONG, **MAIL).output
    assert 'warn settings             survey "long": stop_line without SHORT_LINKS' in output
    assert "stop_line" not in run("doctor", "--only", "settings", surveys=LONG, SHORT_LINKS="on", **MAIL, **PACE).output


def test_each_token_is_tried(run: Runner, dixa: Sandbox) -> None:
    dixa.api.tokens = (dixa.token, "another-token")
    both = f"{dixa.token},another-token"
    output = run("doctor", "--only", "dixa.token", DIXA_API_TOKEN=both).output
    dixa.api.tokens = (dixa.token,)
    assert "token 2 of 2 belongs to Nordlys Outdoor" in output
    first, second = findings(run("doctor", "--only", "dixa.token", fails=True, DIXA_API_TOKEN=both).output)[
        "dixa.token"
    ]
    assert first == "ok token 1 of 2 belongs to Nordlys Outdoor."
    assert second.startswith("fail Dixa returned 401 to token 2 of DIXA_API_TOKEN: is it right?")


def test_outage_of_dixa_is_shown(run: Runner, story: Story, keys: redis.Redis, dixa: Sandbox) -> None:
    """`doctor` and `why` show the outage and don't change it."""
    waiting = [story.begin() for _ in range(6)]
    dixa.outage()
    for survey_id in waiting:
        story.offering.run(survey_id)
    outage = "Dixa is down since "
    output = run("doctor", "--only", "dixa", fails=True).output
    assert f"warn dixa.outage          {outage}" in output
    assert "Dixa returned 503" in findings(output)["dixa.token"][0]
    assert outage in run("why", waiting[0]).output
    assert json.loads(run("why", waiting[0], "--json").output)["dixa_down_since"]
    dixa.outage_is_over()
    assert "the token belongs to Nordlys Outdoor" in run("doctor", "--only", "dixa.token").output
    assert keys.exists("afterword:dixa:down")
    story.ask(waiting[0])
    run("doctor", "--only", "dixa.outage")
    assert outage not in run("why", waiting[1]).output
    assert json.loads(run("why", waiting[1], "--json").output)["dixa_down_since"] is None
