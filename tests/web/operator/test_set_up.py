"""The view "Set-up" shows what the doctor has found, and each process's surveys.toml."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
import redis
from click.testing import CliRunner
from flask.testing import FlaskClient

from service.cli import main
from service.doctor.finding import fail, ok, warn
from service.doctor.last_run import LastRun, LastRuns
from service.records.processes import Processes
from service.records.redis import Store
from service.sandbox.server import Sandbox
from tests.processes import API_TOKEN, ROOT, SECRET_KEY, WEBHOOK_SECRET, settings_for
from tests.web.operator.pages import words
from tests.web.operator.window_client import look

VIEW = "/operator/set-up"
ONE = '[[survey]]\nname = "default"\ndelay = "15m"\n'
OTHER = '[[survey]]\nname = "default"\ndelay = "1h"\n'


def start(keys: redis.Redis, monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    """Report a worker on each of these hosts, with its surveys.toml."""
    for host, text in files.items():
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        Processes(keys, {}, surveys_file=text).write("worker")


def test_the_findings_of_this_host_are_shown(window: FlaskClient, keys: redis.Redis) -> None:
    Processes(keys, {}).write("web")
    text = words(look(window, VIEW).text)
    assert "Fault worker.alive no worker is running" in text
    assert "Fine redis.reachable Redis responds." in text


def test_before_the_first_run_it_says_how_to_run_the_doctor(window: FlaskClient) -> None:
    assert "It has not run yet." in words(look(window, VIEW).text)


def test_the_last_run_is_shown(window: FlaskClient, keys: redis.Redis) -> None:
    found = [("dixa.tags", warn("no tag vip", "Make it")), ("smtp", fail("refused")), ("slack", ok("can be reached"))]
    LastRuns(keys).write(LastRun(datetime.now(UTC) - timedelta(hours=5), "host-a", found))
    text = words(look(window, VIEW).text)
    assert "5 h ago, on host-a" in text
    assert "Warning dixa.tags no tag vip. Make it." in text
    assert "Fault smtp refused." in text
    assert "1 check is fine" in text
    assert "Over a week old." not in text


def test_an_old_run_says_so(window: FlaskClient, keys: redis.Redis) -> None:
    LastRuns(keys).write(LastRun(datetime.now(UTC) - timedelta(days=8), "host-a", []))
    assert "Over a week old." in words(look(window, VIEW).text)


def test_the_command_leaves_its_findings(window: FlaskClient, redis_url: str, keys: redis.Redis, dixa: Sandbox) -> None:
    environ = {
        "REDIS_URL": redis_url,
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_API_URL": dixa.api_url,
        "DIXA_PACE": "5000/100",
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": "http://127.0.0.1:1",
    }
    only = CliRunner().invoke(main, ["doctor", "--only", "redis"], env=environ)
    assert only.exception is None or isinstance(only.exception, SystemExit)
    assert not keys.exists("afterword:doctor"), "a part of the checks is no whole run"
    printed = json.loads(CliRunner().invoke(main, ["doctor", "--json"], env=environ).stdout)
    kept = LastRuns(keys).read()
    assert kept
    assert [(name, each.level, each.text, each.remedy) for name, each in kept.found] == [
        (each["id"], each["level"], each["text"], each["remedy"]) for each in printed
    ]
    assert "dixa.token" in look(window, VIEW).text


def test_processes_with_the_same_file_agree(
    window: FlaskClient, keys: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(keys, monkeypatch, a=ONE, b=ONE)
    page = look(window, VIEW).text
    assert "All have the same file." in page
    assert "worker on a, worker on b" in words(page)
    assert "name = &#34;default&#34;" in page
    assert '<pre class="diff">' not in page


def test_differences_between_processes_are_shown(
    window: FlaskClient, keys: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(keys, monkeypatch, a=OTHER, b=ONE, c=ONE)
    page = look(window, VIEW).text
    assert "2 different files are in use." in page
    assert "<del>- delay = &#34;15m&#34;</del>" in page
    assert "<ins>+ delay = &#34;1h&#34;</ins>" in page


def test_a_text_is_kept_once_while_a_process_reports_it(keys: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    start(keys, monkeypatch, a=ONE, b=ONE, c=OTHER)
    kept = [str(each) for each in keys.keys("afterword:surveys_file:*")]
    assert sorted(str(keys.get(each)) for each in kept) == sorted([ONE, OTHER])
    for each in kept:
        keys.expire(each, 5)
    start(keys, monkeypatch, a=ONE)
    left = {str(keys.get(each)): int(keys.ttl(each)) for each in kept}
    assert left[ONE] > 3000
    assert left[OTHER] <= 5


def test_a_text_is_not_sent_with_each_report(keys: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    start(keys, monkeypatch, a=ONE)
    (name,) = keys.keys("afterword:surveys_file:*")
    keys.set(name, "as it was")
    start(keys, monkeypatch, a=ONE)
    assert keys.get(name) == "as it was"


def test_a_lost_text_is_written_again(keys: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    start(keys, monkeypatch, a=ONE)
    (name,) = keys.keys("afterword:surveys_file:*")
    keys.delete(name)
    start(keys, monkeypatch, a=ONE)
    assert keys.get(name) == ONE


def test_an_older_process_reports_no_file(window: FlaskClient, keys: redis.Redis) -> None:
    now = Store(keys).read_clock().timestamp()
    report = {"role": "worker", "host": "old", "settings": {}, "at": now}
    keys.hset("afterword:processes", "worker@old:1", json.dumps(report))
    text = words(look(window, VIEW).text)
    assert "worker on old – not reported" in text
    assert "No process has reported its file." in text


def test_the_file_and_the_findings_are_escaped(
    window: FlaskClient, keys: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(keys, monkeypatch, a=f"{ONE}# <script>alert(1)</script>\n", b=f"{ONE}# <b>\n")
    LastRuns(keys).write(LastRun(datetime.now(UTC), "<i>", [("dixa.agents", ok("senders: <img src=x>"))]))
    page = look(window, VIEW).text
    assert not [each for each in ("<script", "<b>", "<i>", "<img") if each in page]


def test_the_files_of_the_settings_are_those_that_are_reported() -> None:
    settings = settings_for("redis://127.0.0.1:1/0")
    assert settings.surveys_file.text == (ROOT / "config/surveys.toml").read_text(encoding="utf-8")
