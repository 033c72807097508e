"""Lists surveys, in small steps of SCAN. Redis serves others between two steps.

Raises RecordsUnavailable when Redis can't be reached.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from service.records.codec import from_ms, resolve_terms
from service.records.queries import Queries
from service.surveys.states import Journey

Fields = dict[str, Any]

STEP: Final = 500
"""Keys for one step of SCAN: some hundred microseconds of Redis's time."""
_FIELDS: Final = (
    "survey_id",
    "accepted_at",
    "terms",
    *(f"{journey}_{name}" for journey in Journey for name in ("state", "reason")),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """The parts of a record for a list. `states` and `reasons` are by journey, as far as it has begun."""

    survey_id: str
    accepted_at: datetime
    survey: str
    states: dict[Journey, str]
    reasons: dict[Journey, str]

    @property
    def conversation_id(self) -> int:
        """The conversation."""
        return int(self.survey_id.partition("-")[0])


class Listing(Queries):
    """Lists the surveys of one installation."""

    def list_all(self) -> Iterator[Listed]:
        """Yield every survey, in no order. One may come twice while Redis grows its table of keys."""
        return map(self._listed, self._scan_fields(_FIELDS))

    def _scan_fields(self, names: Sequence[str], on_step: Callable[[], object] = lambda: None) -> Iterator[Fields]:
        """Yield these fields of every record."""
        cursor = 0
        while True:
            cursor, keys = self._scan(cursor)
            if keys:
                yield from self._read_all(keys, names)
            on_step()
            if not cursor:
                return

    def _scan(self, cursor: int) -> tuple[int, list[str]]:
        pattern = f"{self._prefix}survey:*"
        found: tuple[int, list[str]] = self._run_command(lambda: self._redis.scan(cursor, match=pattern, count=STEP))
        return found

    def _read_all(self, keys: Sequence[str], names: Sequence[str]) -> Iterator[Fields]:
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hmget(key, *names)
        for found in self._run_command(pipeline.execute):
            fields = dict(zip(names, found, strict=True))
            # An expired record has no fields any more.
            if fields["survey_id"]:
                yield fields

    def _listed(self, fields: Fields) -> Listed:
        terms = resolve_terms(fields["terms"] or "", self._find_terms)
        return Listed(
            survey_id=fields["survey_id"],
            accepted_at=from_ms(fields["accepted_at"]),
            survey=terms.name if terms else "",
            states={each: fields[f"{each}_state"] for each in Journey if fields[f"{each}_state"]},
            reasons={each: fields[f"{each}_reason"] for each in Journey if fields[f"{each}_reason"]},
        )
