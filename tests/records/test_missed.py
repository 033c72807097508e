"""The bookmark and the lease of the search for missed closes."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.missed import LEASE, MissedBookmark, Stretch
from tests.records.steps import DAY, MINUTE

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def bookmark(redis_client: redis.Redis, prefix: str) -> MissedBookmark:
    return MissedBookmark(redis_client, prefix=prefix)


@pytest.fixture
def other(redis_client: redis.Redis, prefix: str) -> MissedBookmark:
    """The same in another process."""
    return MissedBookmark(redis_client, prefix=prefix)


def claim(bookmark: MissedBookmark) -> Stretch | timedelta:
    return bookmark.claim(every=5 * MINUTE, lag=MINUTE, max_age=3 * DAY)


def claimed(bookmark: MissedBookmark) -> Stretch:
    found = claim(bookmark)
    assert isinstance(found, Stretch)
    return found


def set_back(client: redis.Redis, prefix: str, ago: timedelta) -> datetime:
    """Move the bookmark back in time, as if nobody had looked since."""
    at = datetime.now(UTC) - ago
    client.hset(f"{prefix}missed", "until", int(at.timestamp() * 1000))
    return at


def test_the_first_claim_begins_now(bookmark: MissedBookmark) -> None:
    assert bookmark.status() is None
    assert claim(bookmark) == 5 * MINUTE
    status = bookmark.status()
    assert status
    assert abs(datetime.now(UTC) - MINUTE - status.until) < MINUTE
    assert status.missed == {}


def test_a_stretch_is_claimed_once(
    bookmark: MissedBookmark, other: MissedBookmark, redis_client: redis.Redis, prefix: str
) -> None:
    claim(bookmark)
    since = set_back(redis_client, prefix, 10 * MINUTE)
    found = claimed(bookmark)
    assert abs(found.since - since) < SECOND
    assert abs(found.until - (datetime.now(UTC) - MINUTE)) < MINUTE
    assert found.tries == 1
    wait = claim(other)
    assert isinstance(wait, timedelta)
    assert LEASE - MINUTE < wait <= LEASE
    other.finish(found)
    other.give_up()
    assert isinstance(claim(other), timedelta), "without the lease, both change nothing"
    bookmark.finish(found)
    wait = claim(other)
    assert isinstance(wait, timedelta)
    assert 4 * MINUTE < wait <= 5 * MINUTE
    status = bookmark.status()
    assert status
    assert status.until == found.until


def test_a_stretch_that_was_given_up_or_lost_comes_again(
    bookmark: MissedBookmark, other: MissedBookmark, redis_client: redis.Redis, prefix: str
) -> None:
    claim(bookmark)
    set_back(redis_client, prefix, 10 * MINUTE)
    first = claimed(bookmark)
    bookmark.give_up()
    second = claimed(other)
    assert (second.since, second.tries) == (first.since, 2)
    redis_client.delete(f"{prefix}missed:lease")  # as its end does
    assert not other.extend()
    third = claimed(bookmark)
    assert (third.since, third.tries) == (first.since, 3)
    assert bookmark.extend()
    bookmark.finish(third)
    set_back(redis_client, prefix, 10 * MINUTE)
    assert claimed(other).tries == 1


def test_a_long_time_is_looked_at_in_pieces(bookmark: MissedBookmark, redis_client: redis.Redis, prefix: str) -> None:
    claim(bookmark)
    since = set_back(redis_client, prefix, timedelta(hours=2, minutes=30))
    pieces = []
    while isinstance(found := claim(bookmark), Stretch):
        pieces.append(found)
        bookmark.finish(found)
    assert [each.until - each.since for each in pieces[:2]] == [HOUR, HOUR]
    assert abs(pieces[0].since - since) < SECOND
    assert [each.since for each in pieces[1:]] == [each.until for each in pieces[:-1]]
    assert len(pieces) == 3


def test_a_stretch_begins_at_most_three_days_ago(
    bookmark: MissedBookmark, redis_client: redis.Redis, prefix: str
) -> None:
    claim(bookmark)
    set_back(redis_client, prefix, 30 * DAY)
    assert abs(claimed(bookmark).since - (datetime.now(UTC) - 3 * DAY)) < MINUTE


def test_a_bookmark_in_the_future_begins_again(
    bookmark: MissedBookmark, redis_client: redis.Redis, prefix: str
) -> None:
    """Redis's clock was set back since."""
    claim(bookmark)
    set_back(redis_client, prefix, -DAY)
    assert claim(bookmark) == 5 * MINUTE
    status = bookmark.status()
    assert status
    assert status.until < datetime.now(UTC)


def test_missed_closes_are_counted_by_day_for_a_week(
    bookmark: MissedBookmark, redis_client: redis.Redis, prefix: str
) -> None:
    claim(bookmark)
    today = datetime.now(UTC).date()
    redis_client.hset(f"{prefix}missed", mapping={f"missed:{today - ago * DAY}": 4 for ago in (6, 8)})
    bookmark.note_missed()
    bookmark.note_missed(2)
    status = bookmark.status()
    assert status
    assert today - 8 * DAY not in status.missed
    assert sum(count for day, count in status.missed.items() if day >= today) == 3
