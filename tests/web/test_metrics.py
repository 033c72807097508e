"""`/metrics`: who may read it, and that the numbers are those of all processes."""

import json
import re
import socket
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from service.archive.schema import Stage
from service.dixa.call_counts import CallCounts, CallOutcome
from service.dixa.outage import Outage
from service.dixa.pace import SharedPace
from service.intake.spool import Spool
from service.records.failure_guard import MAX_FAILURES
from service.records.processes import Processes
from service.records.records import Records
from service.surveys.model import Decision
from service.surveys.ports import Deadline
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from service.web.app import create_app
from tests.archive.rows import NOON, make_answer, make_row, open_with
from tests.costs.meter import Meter
from tests.deploy.tools import program
from tests.harness import AT_ONCE
from tests.processes import API_TOKEN, PUBLIC_URL, ROOT, RedisServer, settings_for
from tests.records.steps import DAY, MINUTE, SURVEY_ID, claim, close_of
from tests.sandboxes import sandbox
from tests.web.scrapes import BEARER, METRICS_TOKEN, families_of, read, scrape


def make_client(redis_url: str, **environ: str) -> FlaskClient:
    return create_app(settings_for(redis_url, METRICS_TOKEN=METRICS_TOKEN, **environ)).test_client()


@pytest.fixture
def client(redis_url: str, keys: "redis.Redis") -> FlaskClient:
    return make_client(redis_url)


def test_without_the_setting_there_is_no_such_page(redis_url: str) -> None:
    client = create_app(settings_for(redis_url)).test_client()
    assert client.get("/metrics", base_url=PUBLIC_URL, headers=BEARER).status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {METRICS_TOKEN}", "Bearer \xfc"])
def test_a_scrape_without_the_token_is_refused(client: FlaskClient, given: str) -> None:
    response = client.get("/metrics", base_url=PUBLIC_URL, headers={"Authorization": given})
    assert (response.status_code, response.text) == (401, "Send METRICS_TOKEN as a bearer token.\n")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_wrong_tokens_are_limited_and_the_right_one_is_not(client: FlaskClient) -> None:
    statuses = [client.get("/metrics").status_code for _ in range(MAX_FAILURES + 1)]
    assert statuses == [401] * MAX_FAILURES + [429]
    scrape(client)


def test_it_is_scraped_by_address_too(client: FlaskClient) -> None:
    assert client.get("/metrics", base_url="http://10.0.0.7:8000", headers=BEARER).status_code == 200


def test_it_counts_what_waits_and_what_was_decided(client: FlaskClient, records: Records) -> None:
    for number, survey in enumerate([AT_ONCE, replace(AT_ONCE, delay=DAY)], 48213):
        records.accept(close_of(number, ago=MINUTE), [survey])
    found = read(scrape(client))
    assert found['afterword_due_surveys{journey="offer"}'] == 2
    assert found["afterword_waiting_surveys"] == 2
    assert found["afterword_queued_tasks"] == 1
    assert found['afterword_overdue_seconds{journey="answer"}'] == 0
    records.decide(claim(records), Decision(Verdict.SKIP, Reason.MACHINE))
    found = read(scrape(client))
    assert found['afterword_decisions_today{reason="machine"}'] == 1
    assert found['afterword_decisions_today{reason="asked"}'] == 0
    assert found['afterword_due_surveys{journey="offer"}'] == 1


def test_the_age_of_the_queue_is_that_of_the_first_survey(client: FlaskClient, keys: "redis.Redis") -> None:
    now = keys.time()[0]
    keys.zadd("afterword:due:answer", {"1": (now - 600) * 1000, "2": (now + 600) * 1000})
    found = read(scrape(client))
    assert 600 <= found['afterword_overdue_seconds{journey="answer"}'] < 700
    assert found['afterword_overdue_seconds{journey="offer"}'] == 0


def test_failed_surveys_and_reminders_are_counted(client: FlaskClient, records: Records, keys: "redis.Redis") -> None:
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    records.fail(claim(records), Reason.NOT_FOUND)
    keys.sadd("afterword:reminding", "7", "8")
    found = read(scrape(client))
    assert found["afterword_failed_surveys"] == 1
    assert found["afterword_reminding_surveys"] == 2
    assert found["afterword_waiting_surveys"] == 0
    assert records.load(SURVEY_ID)


def test_calls_of_all_workers_are_added_up(client: FlaskClient, keys: "redis.Redis", redis_url: str) -> None:
    workers = [CallCounts(), CallCounts()]
    text = redis.Redis.from_url(redis_url, decode_responses=True)
    reports = [Processes(text, {}, calls=each.totals) for each in workers]
    for counts, processes in zip(workers, reports, strict=True):
        counts.count(CallOutcome.OK)
        processes.write("worker")
    workers[0].count(CallOutcome.OK)
    workers[0].count(CallOutcome.RATE_LIMITED)
    for _ in range(2):
        reports[0].write("worker")
    found = read(scrape(client))
    assert found['afterword_dixa_calls_total{outcome="ok"}'] == 3
    assert found['afterword_dixa_calls_total{outcome="rate_limited"}'] == 1
    assert found['afterword_dixa_calls_total{outcome="no_response"}'] == 0
    text.close()


def test_processes_are_counted_while_they_report(client: FlaskClient, redis_url: str) -> None:
    text = redis.Redis.from_url(redis_url, decode_responses=True)
    Processes(text, {}).write("worker")
    (name,) = text.hgetall("afterword:processes")
    text.hset("afterword:processes", "worker@gone:7", json.dumps({"role": "worker", "at": text.time()[0] - 90}))
    found = read(scrape(client))
    assert found['afterword_processes{role="worker"}'] == 1
    assert found['afterword_processes{role="web"}'] == 0
    assert found[f'afterword_heartbeat_age_seconds{{process="{name!s}",role="worker"}}'] < 60
    assert 90 <= found['afterword_heartbeat_age_seconds{process="worker@gone:7",role="worker"}'] < 150
    text.close()


def test_pauses_outages_and_the_last_webhook_are_shown(
    client: FlaskClient, records: Records, keys: "redis.Redis"
) -> None:
    found = read(scrape(client))
    assert (found["afterword_paused"], found["afterword_dixa_down"]) == (0, 0)
    assert "afterword_last_webhook_timestamp_seconds" not in found
    records.pause()
    keys.set(Outage(keys).down_key, 1_700_000_000_000)
    keys.set("afterword:last_webhook", "1700000000.5")
    found = read(scrape(client))
    assert (found["afterword_paused"], found["afterword_dixa_down"]) == (1, 1)
    assert found["afterword_last_webhook_timestamp_seconds"] == 1_700_000_000.5


def test_the_used_pace_is_shown(redis_url: str, keys: "redis.Redis") -> None:
    client = make_client(redis_url, DIXA_PACE="0.01/4")
    assert read(scrape(client))["afterword_dixa_pace_used_ratio"] == 0
    pace = SharedPace(keys, [API_TOKEN], rate=0.01, burst=4, wait=lambda _: None)
    for _ in range(3):
        pace.take_slot(Deadline(MINUTE), timedelta())
    found = read(scrape(client))
    assert found["afterword_dixa_pace_used_ratio"] == pytest.approx(0.75, abs=0.1)
    assert found["afterword_dixa_pace_calls_per_second"] == 0.01


def test_the_spool_of_this_host_is_measured(redis_url: str, tmp_path: Path) -> None:
    client = make_client(redis_url, SPOOL_DIR=str(tmp_path / "spool"))
    host = socket.gethostname()
    spool = Spool(tmp_path / "spool", max_bytes=1_000_000)
    spool.put({"v": 1, "kind": "unknown"})
    found = read(scrape(client))
    assert found[f'afterword_spool_files{{host="{host}",state="waiting"}}'] == 1
    assert found[f'afterword_spool_files{{host="{host}",state="corrupt"}}'] == 0
    assert found[f'afterword_spool_bytes{{host="{host}"}}'] > 10


def test_risks_of_redis_are_shown_by_aspect(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    assert read(scrape(client))['afterword_redis_risk{aspect="persistence"}'] == 0
    with redis.Redis.from_url(own_redis.url) as server:
        server.config_set("appendonly", "no")
    assert read(scrape(client))['afterword_redis_risk{aspect="persistence"}'] == 2


def test_the_archive_shows_states_and_times(redis_url: str, archive_url: str, keys: "redis.Redis") -> None:
    keys.zadd("afterword:due:archive", {"7": 1, "8": 2})
    open_with(
        archive_url,
        make_row(1, state="skipped", reason="machine"),
        make_row(2, delivered_at=NOON, seconds_to_delivery=60, state="failed", failure="answer"),
        make_answer(3, delivered_at=NOON, seconds_to_delivery=61, seconds_to_dixa=7000, failure="follow_up"),
        make_answer(4, delivered_at=NOON, seconds_to_delivery=10_000_000),
    )
    found = read(scrape(make_client(redis_url, ARCHIVE_URL=archive_url)))
    assert found["afterword_archive_up"] == 1
    assert found["afterword_archive_due_surveys"] == 2
    states = {name: found[f'afterword_surveys{{reason="",state="{name}"}}'] for name in Stage}
    assert states == dict.fromkeys(Stage, 0) | {"failed": 1, "submitted": 2}
    assert found['afterword_surveys{reason="machine",state="skipped"}'] == 1
    assert [found[f'afterword_failed_journeys{{journey="{each}"}}'] for each in Journey] == [0, 1, 1]
    name = "afterword_close_to_delivery_seconds"
    assert [found[f'{name}_bucket{{le="{limit}"}}'] for limit in ("60", "300", "259200", "+Inf")] == [1, 2, 2, 3]
    assert (found[f"{name}_count"], found[f"{name}_sum"]) == (3, 10_000_121)
    assert found["afterword_answer_to_dixa_seconds_sum"] == 7000
    assert found['afterword_answer_to_dixa_seconds_bucket{le="7200"}'] == 1


def test_an_archive_that_cannot_be_read_is_shown_as_such(
    redis_url: str, tmp_path: Path, keys: "redis.Redis", capfd: pytest.CaptureFixture[str]
) -> None:
    found = read(scrape(make_client(redis_url, ARCHIVE_URL=f"sqlite:///{tmp_path}/none.db")))
    assert found["afterword_archive_up"] == 0
    assert found["afterword_redis_up"] == 1
    assert not [name for name in found if name.startswith("afterword_surveys")]
    assert capfd.readouterr().err == ""
    assert "afterword_archive_up" not in read(scrape(make_client(redis_url, ARCHIVE_URL="off")))


def test_without_redis_the_rest_is_shown(own_redis: RedisServer, tmp_path: Path) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path))
    assert read(scrape(client))["afterword_redis_up"] == 1
    own_redis.stop()
    found = read(scrape(client))
    assert found["afterword_redis_up"] == 0
    assert any(name.startswith("afterword_spool_files") for name in found)
    assert not any(name.startswith("afterword_due_surveys") for name in found)


def test_every_web_process_shows_the_same(redis_url: str, records: Records) -> None:
    records.accept(close_of(ago=MINUTE), [replace(AT_ONCE, delay=DAY)])
    records.accept(close_of(7), [AT_ONCE], Reason.MACHINE)
    first, second = (scrape(make_client(redis_url)) for _ in range(2))
    assert first == second


def test_a_scrape_costs_four_round_trips_and_no_scan(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = make_client(own_redis.url)
    scrape(client)
    with sandbox() as dixa:
        meter = Meter(own_redis.url, dixa, monkeypatch)
        cost = meter.measure(lambda: scrape(client))
    assert cost.round_trips == 4, meter.commands
    # MONITOR, which counts, doesn't show the two CONFIG GET.
    assert cost.commands == 9 + 2 * len(Journey) + 1, meter.commands
    assert not [each for each in meter.commands if "SCAN" in each or "KEYS" in each]


def test_promtool_finds_no_fault(redis_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/archive.db"
    open_with(url)
    client = make_client(redis_url, SPOOL_DIR=str(tmp_path), ARCHIVE_URL=url)
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=scrape(client), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_metric_is_documented(redis_url: str, tmp_path: Path, keys: "redis.Redis") -> None:
    keys.set("afterword:last_webhook", "1700000000.5")
    url = f"sqlite:///{tmp_path}/archive.db"
    open_with(url)
    text = scrape(make_client(redis_url, SPOOL_DIR=str(tmp_path), ARCHIVE_URL=url))
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(afterword_\w+)", page, re.MULTILINE)) == {*families_of(text)}
