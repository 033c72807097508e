"""`afterword doctor --only missed` shows whether webhooks are missed."""

from datetime import UTC, datetime, timedelta

import redis

from service.records.missed import MissedBookmark
from tests.cli.conftest import Runner
from tests.harness import Story


def look(keys: redis.Redis, ago: timedelta) -> None:
    at = int((datetime.now(UTC) - ago).timestamp() * 1000)
    keys.hset("afterword:missed", mapping={"until": at, "looked_at": at})


def test_it_shows_up_to_when_dixa_was_compared(run: Runner, keys: redis.Redis) -> None:
    assert "ok   missed" in run("doctor", "--only", "missed").output
    look(keys, timedelta(minutes=12))
    assert "no webhook was missed since yesterday; compared with Dixa up to" in run("doctor", "--only", "missed").output


def test_missed_webhooks_are_a_warning_for_a_day(run: Runner, keys: redis.Redis, story: Story) -> None:
    look(keys, timedelta(minutes=12))
    MissedBookmark.beside(story.records).note_missed(3)
    output = run("doctor", "--only", "missed", fails=True).output
    assert "warn missed" in output
    assert "3 webhooks never arrived since yesterday" in output
    earlier = datetime.now(UTC).date() - timedelta(days=3)
    keys.delete("afterword:missed")
    keys.hset("afterword:missed", f"missed:{earlier}", 3)
    look(keys, timedelta(minutes=12))
    assert "ok   missed" in run("doctor", "--only", "missed").output


def test_a_search_that_has_stopped_is_a_warning(run: Runner, keys: redis.Redis) -> None:
    look(keys, timedelta(hours=3))
    output = run("doctor", "--only", "missed", fails=True).output
    assert "warn missed" in output
    assert "only. See worker.alive" in output
    assert "RECOVER_CLOSES is off" in run("doctor", "--only", "missed", RECOVER_CLOSES="off").output
