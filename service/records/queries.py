"""All that is read of the records, and the switches of the whole installation: what is no survey's transition.

Every method raises RecordsUnavailable when Redis can't be asked.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from service.records.codec import read_record, to_ms
from service.records.redis import Store
from service.surveys.model import Journey, OfferState, Record

_MANY = 500
"""As many are asked for at once; Redis does nothing else meanwhile."""


class Overview(Store):
    """The surveys of one installation, looked at from outside."""

    def load(self, survey_id: str) -> Record | None:
        """Read a record as it is now."""
        fields: dict[str, str] = self._ask(lambda: self._redis.hgetall(self._key(survey_id)))
        return read_record(fields) if fields else None

    def rounds(self, conversation_id: int) -> list[str]:
        """List the ids of all surveys of a conversation that may be there, latest first."""
        last = int(self._ask(lambda: self._redis.get(self._rounds(conversation_id))) or 1)
        return [f"{conversation_id}-{number}" for number in range(last, 1, -1)] + [str(conversation_id)]

    def count_waiting(self) -> int:
        """Count the surveys whose link isn't with the customer yet; what is due holds reminders too."""
        ids: list[str] = self._ask(lambda: self._redis.zrange(self._due(Journey.OFFER), 0, -1))
        states = [each for begin in range(0, len(ids), _MANY) for each in self._states(ids[begin : begin + _MANY])]
        return sum(state not in (None, OfferState.REMINDING) for state in states)

    def _states(self, ids: Sequence[str]) -> list[str | None]:
        pipeline = self._redis.pipeline(transaction=False)
        for survey_id in ids:
            pipeline.hget(self._key(survey_id), f"{Journey.OFFER}_state")
        found: list[str | None] = self._ask(pipeline.execute)
        return found

    def decisions(self, day: date) -> dict[str, int]:
        """Count the decisions of a day, by reason; those to ask are `asked`."""
        found: dict[str, str] = self._ask(lambda: self._redis.hgetall(self._decisions(day)))
        return {reason: int(count) for reason, count in found.items() if int(count) > 0}

    def pause(self) -> None:
        """Ask nobody until `resume`; what comes in is kept and waits."""
        self._ask(lambda: self._redis.set(self._paused_key, datetime.now(UTC).isoformat(timespec="seconds"), nx=True))

    def resume(self) -> bool:
        """Go on asking; False if that wasn't paused."""
        return bool(self._ask(lambda: self._redis.delete(self._paused_key)))

    def paused_since(self) -> str | None:
        """Say since when nobody is asked; None if that isn't so."""
        found: str | None = self._ask(lambda: self._redis.get(self._paused_key))
        return found

    def restored(self) -> None:
        """Note that Redis was restored from a backup: for what it holds by now, look at Dixa before every call."""
        seconds, micros = self._ask(self._redis.time)
        self._ask(lambda: self._redis.set(self._restored_key, seconds * 1000 + micros // 1000))

    def hold_answers(self, wait: timedelta) -> None:
        """Let no answer be claimed for so long: what waits in a spool may be later than what is here."""
        self._ask(lambda: self._redis.set(self._draining_key, 1, px=max(to_ms(wait), 1)))

    def _key(self, survey_id: str) -> str:
        return f"{self._prefix}survey:{survey_id}"

    def _rounds(self, conversation_id: int) -> str:
        return f"{self._prefix}rounds:{conversation_id}"

    def _decisions(self, day: date) -> str:
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
