"""The surveys with events that were not sent yet. The events themselves are in the records.

Every method raises RecordsUnavailable when Redis can't be reached.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from service.records.queries import Queries
from service.surveys.model import Record

BATCH = 10


class DueEvents(Queries):
    """The unsent events of one installation."""

    lease = timedelta(minutes=1)
    """How long the surveys of a take are a worker's own. Sending them must take less."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._due_key = f"{self._prefix}due:event"

    def take(self, most: int = BATCH) -> list[str]:
        """Take the next surveys. They come again after the lease, unless `finish` is called."""
        found: list[str] = self._run_script("due_events.take", (self._due_key,), most, self.lease)
        return found

    def finish(self, record: Record, sent: Collection[str], wait: timedelta = timedelta()) -> None:
        """Forget the events that were sent or given up. What is left of this survey is due after `wait`."""
        events = [part for name in sent for part in (name, record.unsent_events[name])]
        keys = (self._key(record.survey_id), self._due_key)
        self._run_script("due_events.done", keys, record.survey_id, wait, *events)

    def forget(self, survey_ids: Collection[str]) -> None:
        """Forget surveys without a record."""
        if survey_ids:
            self._run_command(lambda: self._redis.zrem(self._due_key, *survey_ids))

    def count(self) -> int:
        """Count the surveys with unsent events."""
        return int(self._run_command(lambda: self._redis.zcard(self._due_key)))
