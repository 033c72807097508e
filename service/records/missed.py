"""The search for missed closes: which stretch of time is next, who looks at it, and what was found.

One process looks at a time, by a lease, and at each stretch once, by a bookmark. Every method raises RecordsUnavailable
when Redis can't be reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from service.records.codec import from_ms
from service.records.redis import Store

LEASE: Final = timedelta(minutes=10)
"""Longer than one look-up of a conversation may take, with its retries and waits."""
_MAX_STRETCH: Final = timedelta(hours=1)
_DAYS_KEPT: Final = 7


@dataclass(frozen=True, slots=True)
class Stretch:
    """The next stretch of time to look at. `tries` counts the looks at it, this one included."""

    since: datetime
    until: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class LookStatus:
    """Until which time everything has been looked at, when, and how many closes were found missing, by day (UTC).

    `problem` is why the last stretch was passed over.
    """

    until: datetime
    looked_at: datetime
    missed: Mapping[date, int]
    problem: str = ""


class MissedBookmark(Store):
    """The bookmark and the lease of one installation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner = uuid4().hex
        self._key, self._lease_key = f"{self._prefix}missed", f"{self._prefix}missed:lease"

    def claim(self, *, every: timedelta, lag: timedelta, max_age: timedelta) -> Stretch | timedelta:
        """Lease the next stretch of time, or return how long to wait for it.

        It ends `lag` ago, is at least `every` long, and begins at most `max_age` ago. The very first begins now.
        """
        given = (self._owner, every, lag, max_age, _MAX_STRETCH, LEASE)
        outcome, *rest = self._run_script("missed.claim", (self._key, self._lease_key), *given)
        if outcome != "claimed":
            return timedelta(milliseconds=int(rest[0]))
        since, until, tries = rest
        return Stretch(from_ms(since), from_ms(until), int(tries))

    def extend(self) -> bool:
        """Extend the lease. Return False if another process may have it now."""
        return bool(self._run_script("missed.extend", (self._lease_key,), self._owner, LEASE))

    def finish(self, stretch: Stretch, problem: str = "") -> None:
        """Move the bookmark to the end of this stretch, and return the lease. `problem`: it was passed over."""
        self._end(stretch.until, problem)

    def give_up(self) -> None:
        """Return the lease. The stretch comes again."""
        self._end(None)

    def note_missed(self, count: int = 1) -> None:
        """Count missed closes on the day of their finding."""
        day = datetime.now(UTC).date()
        self._run_command(lambda: self._redis.hincrby(self._key, f"missed:{day}", count))
        old = [f"missed:{day - timedelta(days=ago)}" for ago in range(_DAYS_KEPT, 2 * _DAYS_KEPT)]
        self._run_command(lambda: self._redis.hdel(self._key, *old))

    def status(self) -> LookStatus | None:
        """Return the status, or None before the first look."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._key))
        if "until" not in found:
            return None
        days = {name.partition(":")[2]: int(count) for name, count in found.items() if name.startswith("missed:")}
        missed = {date.fromisoformat(day): count for day, count in sorted(days.items())}
        return LookStatus(from_ms(found["until"]), from_ms(found["looked_at"]), missed, found.get("problem", ""))

    def _end(self, until: datetime | None, problem: str = "") -> None:
        self._run_script("missed.end", (self._key, self._lease_key), self._owner, until, problem)
