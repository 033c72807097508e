"""The names of the records' keys in Redis. docs/architecture/records.md describes each."""

from datetime import date

from service.records.redis import Store
from service.surveys.states import Journey


class RecordKeys(Store):
    """A store with the names of the records' keys."""

    def _key(self, survey_id: str) -> str:
        return f"{self._prefix}survey:{survey_id}"

    def _rounds_key(self, conversation_id: int) -> str:
        return f"{self._prefix}rounds:{conversation_id}"

    def _decisions_key(self, day: date) -> str:
        return f"{self._prefix}decisions:{day}"

    def _due(self, journey: Journey) -> str:
        return f"{self._prefix}due:{journey}"

    @property
    def _restored_key(self) -> str:
        return f"{self._prefix}restored_at"

    @property
    def _draining_key(self) -> str:
        return f"{self._prefix}draining"

    @property
    def _paused_key(self) -> str:
        return f"{self._prefix}paused"
