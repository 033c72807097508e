"""The invented days of `make demo-data`: real records, of which every page has something to show."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from service.records.records import Records
from service.rules.identity import Identities
from service.sandbox.demo.clock import TimedRecords
from service.sandbox.demo.days import invent
from service.sandbox.demo.history import DEMO_SURVEYS, History
from service.surveys.reasons import Reason
from service.surveys.retention import ArchiveRetention
from service.surveys.toml.loader import read_surveys
from tests.archive.comparison import Rows, expected_rows
from tests.processes import SECRET_KEY, RedisServer, patient

DAY = timedelta(days=1)
UNTIL = datetime.now(UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """Fill a Redis with three weeks."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    server.start()
    client = patient(server.url)
    records = TimedRecords(client, keep=90 * DAY)
    History(records, read_surveys(Path(DEMO_SURVEYS)).surveys, Identities([SECRET_KEY]), UNTIL).write(
        invent(UNTIL, 21, 40)
    )
    yield client
    client.close()
    server.stop()


@pytest.fixture(scope="module")
def rows(client: redis.Redis) -> Rows:
    records = Records(client, lease=DAY, keep=90 * DAY)
    return expected_rows(records, ArchiveRetention(1000 * DAY, 300 * DAY))


def test_same_seed_invents_the_same_days() -> None:
    assert [*invent(UNTIL, 3, 20, seed=7)] == [*invent(UNTIL, 3, 20, seed=7)]
    assert [*invent(UNTIL, 3, 20, seed=7)] != [*invent(UNTIL, 3, 20, seed=8)]


def test_surveys_are_in_every_state_but_underway(rows: Rows) -> None:
    found = {row["state"] for row in rows.values()}
    assert found >= {"waiting", "skipped", "cancelled", "delivered", "submitted", "failed"}
    assert "asked" not in found


def test_each_survey_has_answers_of_its_type(rows: Rows) -> None:
    columns = {"support": "csat", "chat": "thumbs", "vip": "nps"}
    answered = Counter(row["survey"] for row in rows.values() if row["answered_at"])
    assert set(answered) == set(columns)
    assert all(row[columns[row["survey"]]] is not None for row in rows.values() if row["answered_at"])


def test_rules_of_the_records_decide_as_well(rows: Rows) -> None:
    reasons = {row["reason"] for row in rows.values() if row["reason"]}
    assert reasons >= {Reason.ASKED_RECENTLY, Reason.DIRECTION, Reason.REOPENED, Reason.FEW_CUSTOMER_MESSAGES}


def test_times_are_those_of_the_steps(rows: Rows) -> None:
    for row in rows.values():
        times = [row[f"{name}_at"] for name in ("closed", "asked", "delivered", "answered", "submitted")]
        happened = [each for each in times if each]
        assert happened == sorted(happened)
        assert all(each < UNTIL for each in happened)
    days = {row["delivered_at"].date() for row in rows.values() if row["delivered_at"]}
    assert len(days) > 15


def test_decisions_are_counted_on_their_day(client: redis.Redis) -> None:
    records = Records(client, lease=DAY, keep=90 * DAY)
    counted = [records.count_decisions((UNTIL - ago * DAY).date()).get("asked", 0) for ago in range(3, 20)]
    assert sum(counted) > 100
    assert sum(1 for each in counted if each) > 10


def test_there_are_machines_failures_and_lost_webhooks(rows: Rows) -> None:
    assert any(row["is_suspect"] for row in rows.values())
    assert {row["failure"] for row in rows.values()} >= {"offer", "answer"}
    assert any(row["found_by"] for row in rows.values())


def test_nothing_is_left_of_the_given_clock(client: redis.Redis) -> None:
    assert client.exists("afterword:clock", "afterword:tasks") == 0
