"""The due set of the archive: each change that a row shows makes its survey due, and nothing is forgotten too early."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from service.archive.row import make_row
from service.records.due_archive import DueArchive, OtherArchive
from service.records.records import Records
from service.surveys.retention import ArchiveRetention
from tests.harness import AT_ONCE
from tests.records.steps import MINUTE, close_of
from tests.records.test_transitions import ARGS, ScriptRunner, cells

DAY = timedelta(days=1)
RETENTION = ArchiveRetention(1000 * DAY, 300 * DAY, 90 * DAY)
THIS, OTHER = "this", "another"


@pytest.fixture
def records(redis_client: redis.Redis, prefix: str) -> Records:
    return Records(redis_client, lease=MINUTE, keep=90 * DAY, prefix=prefix, is_archived=True)


@pytest.fixture
def due(records: Records) -> DueArchive:
    return DueArchive.beside(records)


def rows(records: Records) -> dict[str, Any]:
    found = records.load_all([f"48213{ending}" for ending in ("", "-2", "-3")])
    return {each.survey_id: make_row(each, 1, RETENTION, datetime.now(UTC)) for each in found}


@pytest.mark.parametrize(("journey", "script", "state", "cell"), cells())
def test_each_transition_that_changes_a_row_makes_it_due(
    redis_client: redis.Redis, prefix: str, records: Records, journey: str, script: str, state: str, cell: str
) -> None:
    runner = ScriptRunner(redis_client, prefix, journey, is_archived=True)
    runner.prepare(state)
    before = rows(records)
    runner.run(script, ARGS[script](journey))
    after = rows(records)
    changed = {each for each in after if before.get(each) != after[each]}
    assert changed <= set(redis_client.zrange(f"{prefix}due:archive", 0, -1))


def test_without_an_archive_nothing_becomes_due(redis_client: redis.Redis, prefix: str) -> None:
    records = Records(redis_client, lease=MINUTE, keep=DAY, prefix=prefix)
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    assert DueArchive.beside(records).count_due() == 0


def numbers(records: Records, count: int) -> Iterator[str]:
    for number in range(count):
        yield records.accept(close_of(48213 + number, MINUTE), [AT_ONCE])[1]


def test_rows_written_are_due_no_more(records: Records, due: DueArchive) -> None:
    accepted = [*numbers(records, 3)]
    take = due.take(THIS)
    assert sorted(take.survey_ids) == sorted(accepted)
    due.finish(take)
    assert due.count_due() == 0


def test_a_record_that_changes_meanwhile_stays_due(records: Records, due: DueArchive) -> None:
    changed, _ = numbers(records, 2)
    take = due.take(THIS)
    record = records.load(changed)
    assert record
    records.erase(record)
    due.finish(take)
    assert due.take(THIS).survey_ids == (changed,)


def test_a_take_is_of_one_worker(records: Records, due: DueArchive) -> None:
    accepted = [*numbers(records, 3)]
    first, second = due.take(THIS, 2), due.take(THIS, 2)
    assert sorted((*first.survey_ids, *second.survey_ids)) == sorted(accepted)
    due.finish(first)
    assert due.count_due() == 1


def test_versions_rise_even_if_the_clock_is_set_back(
    records: Records, due: DueArchive, redis_client: redis.Redis, prefix: str
) -> None:
    [*numbers(records, 2)]
    ahead = int(datetime.now(UTC).timestamp() * 1000) + 3_600_000
    redis_client.hset(f"{prefix}archive", "taken", ahead)
    assert [due.take(THIS, 1).version, due.take(THIS, 1).version] == [ahead + 1, ahead + 2]


def test_records_come_again_if_nobody_writes_their_rows(
    records: Records, due: DueArchive, redis_client: redis.Redis, prefix: str
) -> None:
    [accepted] = [*numbers(records, 1)]
    due.take(THIS)
    assert due.take(THIS).survey_ids == ()
    redis_client.zincrby(f"{prefix}due:archive", -11_000, accepted)
    assert due.take(THIS).survey_ids == (accepted,)


def test_another_archive_takes_nothing(records: Records, due: DueArchive) -> None:
    [*numbers(records, 2)]
    due.take(THIS, 1)
    with pytest.raises(OtherArchive):
        due.take(OTHER)
    facts = due.facts()
    assert facts
    assert facts.archive == THIS


def test_another_archive_takes_over_with_all_records(records: Records, due: DueArchive) -> None:
    [*numbers(records, 3)]
    due.finish(due.take(THIS))
    assert due.restart(OTHER) == 3
    assert len(due.take(OTHER, 2).survey_ids) == 2
    with pytest.raises(OtherArchive):
        due.take(THIS)


def test_facts_have_the_latest_version_written(records: Records, due: DueArchive) -> None:
    [*numbers(records, 2)]
    first, second = due.take(THIS, 1), due.take(THIS, 1)
    due.finish(second)
    due.finish(first)
    facts = due.facts()
    assert facts
    assert facts.version == second.version
    assert facts.written_at
