"""The keys of the records, and reads of them. Every read raises RecordsUnavailable when Redis can't be reached.

docs/architecture/records.md describes each key.
"""

from datetime import date

from service.records.codec import read_record
from service.records.redis import Store
from service.surveys.model import Record
from service.surveys.states import Journey, OfferState

_BATCH = 500
"""Commands in one pipeline. Redis serves nobody else while it runs one."""


class Queries(Store):
    """Reads the surveys of one installation."""

    def _key(self, survey_id: str) -> str:
        return f"{self._prefix}survey:{survey_id}"

    def _rounds_key(self, conversation_id: int) -> str:
        return f"{self._prefix}rounds:{conversation_id}"

    def _decisions_key(self, day: date) -> str:
        return f"{self._prefix}decisions:{day}"

    def _due(self, journey: Journey) -> str:
        return f"{self._prefix}due:{journey}"

    def load(self, survey_id: str) -> Record | None:
        """Return a record, or None if it doesn't exist."""
        fields: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._key(survey_id)))
        return read_record(fields) if fields else None

    def list_rounds(self, conversation_id: int) -> list[str]:
        """Return the ids of all surveys of a conversation, latest first. Not all of them need to exist any more."""
        last = int(self._run_command(lambda: self._redis.get(self._rounds_key(conversation_id))) or 1)
        return [f"{conversation_id}-{number}" for number in range(last, 1, -1)] + [str(conversation_id)]

    def load_rounds(self, conversation_id: int) -> list[Record]:
        """Return the records of a conversation, latest first."""
        return [record for survey_id in self.list_rounds(conversation_id) if (record := self.load(survey_id))]

    def count_waiting(self) -> int:
        """Count the surveys without a link at the customer. Reminders are due offers too, but don't count."""
        ids: list[str] = self._run_command(lambda: self._redis.zrange(self._due(Journey.OFFER), 0, -1))
        states: list[str | None] = []
        for begin in range(0, len(ids), _BATCH):
            pipeline = self._redis.pipeline(transaction=False)
            for survey_id in ids[begin : begin + _BATCH]:
                pipeline.hget(self._key(survey_id), f"{Journey.OFFER}_state")
            states += self._run_command(pipeline.execute)
        return sum(state not in (None, OfferState.REMINDING) for state in states)

    def count_decisions(self, day: date) -> dict[str, int]:
        """Count the decisions of a day by reason. Surveys sent count as `asked`."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._decisions_key(day)))
        return {reason: int(count) for reason, count in found.items() if int(count) > 0}
