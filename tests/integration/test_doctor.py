"""`afterword doctor` beside real processes: green at first, and each fault is named until its remedy is followed."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from service.cli import main
from service.sandbox.server import Sandbox
from tests.integration.conftest import Starter
from tests.polling import eventually
from tests.processes import Afterword, RedisServer
from tests.receiver import SECRET, Receiver, receiving
from tests.smtp import post_office

SURVEYS = """
[[survey]]
delay = "0s"
[survey.match]
with_tags = ["vip"]
"""
TYPO = SURVEYS.replace("delay", "delya")


class Doctor:
    """Runs the command with the settings of running processes, and with exceptions."""

    def __init__(self, afterword: Afterword) -> None:
        self._environ = afterword._environ

    def examine(self, *arguments: str, **environ: str) -> dict[str, str]:
        """Return the level by id, the worst of each, and the whole line."""
        given = {**self._environ, **environ}
        result = CliRunner().invoke(main, ["doctor", *arguments, "--json"], env=given)
        found: dict[str, str] = {}
        for each in json.loads(result.output):
            line = f"{each['level']} {each['text']}. {each['remedy']}"
            found[each["id"]] = min(found.get(each["id"], line), line, key=_rank)
        levels = {line.split()[0] for line in found.values()}
        assert result.exit_code == (1 if "fail" in levels else 2 if "warn" in levels else 0)
        return found

    def says(self, name: str, **environ: str) -> str:
        """Return the worst finding of one check."""
        return self.examine("--only", name, **environ).get(name, "")

    def is_ok(self, name: str, **environ: str) -> bool:
        return self.says(name, **environ).startswith("ok")


def _rank(line: str) -> int:
    return ["fail", "warn", "skip", "ok"].index(line.split(maxsplit=1)[0])


@pytest.fixture(scope="module")
def own(start: Starter, dixa: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Afterword]:
    dixa.state.tag("vip")
    started = start(SURVEYS, SPOOL_DIR=str(tmp_path_factory.mktemp("spool")), DIXA_PACE="9.9/3")
    dixa.sends_webhooks_to(started.webhook_url)
    yield started
    started.stop()


@pytest.fixture
def doctor(own: Afterword) -> Doctor:
    return Doctor(own)


@pytest.fixture
def surveys(own: Afterword) -> Path:
    return Path(own._environ["SURVEYS_FILE"])


def test_everything_is_ok_once_a_webhook_came(doctor: Doctor, dixa: Sandbox) -> None:
    dixa.close(dixa.make_conversation())
    eventually(lambda: doctor.is_ok("webhook.last"))
    eventually(lambda: doctor.is_ok("worker.alive"))
    found = doctor.examine()
    # The settings have short timings here, and a warning for that.
    assert {name: line for name, line in found.items() if not line.startswith("ok") and name != "settings"} == {}
    assert found["public_url"].startswith("ok http://127.0.0.1:")


def test_stopped_worker_is_named_until_it_is_started(own: Afterword, doctor: Doctor) -> None:
    eventually(lambda: doctor.is_ok("worker.alive"))
    own.stop_one("worker")
    assert doctor.says("worker.alive").startswith("fail no worker is running, so no survey is sent. Start the worker")
    own.start("worker")
    eventually(lambda: doctor.is_ok("worker.alive"))


@pytest.mark.parametrize("name", ["web", "worker"])
def test_hup_with_a_typo_is_named_until_the_file_is_repaired(
    own: Afterword, doctor: Doctor, surveys: Path, name: str
) -> None:
    eventually(lambda: doctor.is_ok("surveys.running"))
    surveys.write_text(TYPO)
    os.kill(own.pid_of(name), signal.SIGHUP)
    surveys_of_the_command = surveys.with_name("right.toml")
    surveys_of_the_command.write_text(SURVEYS)
    given = {"SURVEYS_FILE": str(surveys_of_the_command)}
    named = eventually(lambda: line if "delya" in (line := doctor.says("surveys.running", **given)) else "")
    assert named.startswith(f"fail {name} on ")
    assert named.endswith("repair it, and send a HUP")
    surveys.write_text(SURVEYS)
    os.kill(own.pid_of(name), signal.SIGHUP)
    eventually(lambda: doctor.is_ok("surveys.running"))


def test_other_surveys_of_the_file_are_named_until_a_hup(own: Afterword, doctor: Doctor, surveys: Path) -> None:
    surveys.write_text(SURVEYS.replace('"0s"', '"1s"'))
    assert doctor.says("surveys.running").startswith("fail SURVEYS_FILE is not the same in all processes")
    for name in ("web", "worker"):
        os.kill(own.pid_of(name), signal.SIGHUP)
    eventually(lambda: doctor.is_ok("surveys.running"))
    surveys.write_text(SURVEYS)
    for name in ("web", "worker"):
        os.kill(own.pid_of(name), signal.SIGHUP)
    eventually(lambda: doctor.is_ok("surveys.running"))


def test_public_url_elsewhere_is_named(doctor: Doctor, dixa: Sandbox, own: Afterword) -> None:
    elsewhere = doctor.says("public_url", PUBLIC_URL=dixa.url)
    assert elsewhere.startswith(f"fail {dixa.url} leads elsewhere: status 404, without our proof. Correct PUBLIC_URL")
    other_key = doctor.says("public_url", SECRET_KEYS="another-key-for-the-links-0123456789abcdef")
    assert "All processes need the same SECRET_KEYS" in other_key
    assert doctor.is_ok("public_url")


def test_unwritable_spool_is_named(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = doctor.says("spool", SPOOL_DIR=str(tmp_path / "file" / "spool"))
    assert line == f"fail can't be used: {tmp_path / 'file'} is no folder. Name a folder in SPOOL_DIR"
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / ".lock").mkdir()
    line = doctor.says("spool", SPOOL_DIR=str(tmp_path / "spool"))
    assert line.startswith(f"fail can't be used: {tmp_path / 'spool'}: ")
    assert "Give the web's user the right to write there, or name another folder" in line
    assert doctor.is_ok("spool")


def test_redis_without_an_append_only_file_is_named(doctor: Doctor, own: Afterword) -> None:
    with redis.Redis.from_url(own.redis_url) as client:
        client.config_set("appendonly", "no")
        try:
            assert "appendonly is off" in doctor.says("redis.persistence")
        finally:
            client.config_set("appendonly", "yes")
    assert doctor.is_ok("redis.persistence")


def test_refusing_mail_server_is_named(doctor: Doctor) -> None:
    with post_office() as (post, server):
        given = {"SMTP_URL": f"smtp://localhost:{server.port}?starttls=off", "MAIL_FROM": "survey@northwind.example"}
        post.replies["greeting"] = "554 no service"
        assert "the mail server greeted with 554" in doctor.says("smtp", **given)
        post.replies.clear()
        assert doctor.is_ok("smtp", **given)
        assert post.mails == []


@pytest.fixture
def slack() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def test_slack_and_webhooks_get_a_message_only_with_send(doctor: Doctor, slack: Receiver) -> None:
    given: dict[str, Any] = {"SLACK_WEBHOOK_URL": f"{slack.url}/slack", "ANSWER_WEBHOOK_URL": f"{slack.url}/answers"}
    given |= {"EVENTS_WEBHOOK_URL": f"{slack.url}/events", "DIGEST_SLACK_WEBHOOK_URL": f"{slack.url}/digest"}
    given |= {"ANSWER_WEBHOOK_SECRET": SECRET, "EVENTS_WEBHOOK_SECRET": SECRET}
    names = ("--only", "slack", "--only", "webhook.out")
    assert {line.split()[0] for line in doctor.examine(*names, **given).values()} == {"ok"}
    assert slack.posts == []
    assert {line.split()[0] for line in doctor.examine(*names, "--send", **given).values()} == {"ok"}
    assert [each.body.get("text") for each in slack.taken("/slack")] == ["This is a test by afterword doctor."]
    (sent,) = slack.taken("/answers")
    assert (sent.body["type"], sent.id is not None) == ("afterword.test", True)
    assert [len(slack.taken(path)) for path in ("/events", "/digest")] == [1, 1]
    slack.next["/slack"] = [404]
    assert "the receiver returned 404" in doctor.examine("--only", "slack", "--send", **given)["slack"]
    dead = doctor.says("slack", SLACK_WEBHOOK_URL="http://127.0.0.1:9/slack")
    assert dead.startswith("fail SLACK_WEBHOOK_URL: the receiver: ")


def test_unreachable_redis_skips_what_needs_it(doctor: Doctor, tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    found = doctor.examine(REDIS_URL=server.url)
    assert found["redis.reachable"].startswith("fail ConnectionError (connection refused)")
    assert found["worker.alive"] == "skip not tested, since redis.reachable failed. "
    assert found["public_url"].startswith("ok")
