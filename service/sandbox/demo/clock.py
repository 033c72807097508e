"""Records whose transitions happen at a given time. They are the real scripts, with another clock."""

from datetime import date, datetime, timedelta
from typing import Any

import redis

from service.records.codec import to_ms
from service.records.records import Records

_TIME = "redis.call('TIME')"
_GIVEN_TIME = """local function given_time()
  local given = tonumber(redis.call('GET', '{key}'))
  return {{math.floor(given / 1000), given % 1000 * 1000}}
end
"""


class TimedRecords(Records):
    """Set the time with `at` before each transition."""

    def __init__(self, client: redis.Redis, **options: Any) -> None:
        super().__init__(client, lease=timedelta(minutes=1), is_archived=True, **options)
        self._clock_key = f"{self._prefix}clock"
        given = _GIVEN_TIME.format(key=self._clock_key)
        self._scripts = {
            name: client.register_script(given + str(each.script).replace(_TIME, "given_time()"))
            for name, each in self._scripts.items()
        }
        self._day = date.min

    def at(self, moment: datetime) -> None:
        """Set the time of the transitions to come."""
        self._day = moment.date()
        self._redis.set(self._clock_key, to_ms(moment))

    def forget_clock(self) -> None:
        """Delete the given time, and the tasks that were queued meanwhile: what is due comes again."""
        self._redis.delete(self._clock_key, self._queue_key)

    def _decisions_key(self, day: date) -> str:  # noqa: ARG002 - the caller's is today
        return super()._decisions_key(self._day)
