"""The journeys that failed for good, and whether a retry of each has something to do.

Every method raises RecordsUnavailable when Redis can't be reached.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.records.codec import from_ms, resolve_terms
from service.records.queries import Queries
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState

_OF_JOURNEYS: Final = tuple((each, part) for each in Journey for part in ("state", "reason", "ended_at"))
_NAMES: Final = ("survey_id", "terms", *(f"{journey}_{part}" for journey, part in _OF_JOURNEYS))


@dataclass(frozen=True, slots=True)
class FailedJourney:
    """A journey that failed. `survey` is the name of its survey, or "" if none was chosen."""

    survey_id: str
    conversation_id: int
    survey: str
    journey: Journey
    reason: Reason
    failed_at: datetime | None


class FailedJourneys(Queries):
    """The failed journeys of one installation."""

    def list_retriable(self, limit: int, skip: int = 0) -> tuple[int, list[FailedJourney]]:
        """Return how many surveys have failed, and the failed journeys of these, latest first. Three round trips.

        The count may include surveys that have expired since. Left out is an offer whose customer has answered, or that
        belongs to an earlier round: a retry would ask beside the latest one.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zcard(self._failed_key)
        pipeline.zrange(self._failed_key, skip, skip + limit - 1, desc=True)
        count, survey_ids = self._run_command(pipeline.execute)
        return count, [*self._read_failed(survey_ids)]

    def _read_failed(self, survey_ids: Sequence[str]) -> Iterator[FailedJourney]:
        if not survey_ids:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for each in survey_ids:
            pipeline.hmget(self._key(each), *_NAMES)
            pipeline.get(self._rounds_key(_conversation_of(each)))
        found = self._run_command(pipeline.execute)
        records = [dict(zip(_NAMES, values, strict=True)) for values in found[::2]]
        self._learn_terms([each["terms"] for each in records])
        for fields, rounds in zip(records, found[1::2], strict=True):
            # An expired record has no fields any more.
            if fields["survey_id"]:
                yield from self._failed_of(fields, is_latest=_round_of(fields["survey_id"]) == int(rounds or 1))

    def _failed_of(self, fields: dict[str, str], *, is_latest: bool) -> Iterator[FailedJourney]:
        terms = resolve_terms(fields["terms"] or "", self._find_terms)
        for journey in Journey:
            if fields[f"{journey}_state"] != OfferState.FAILED:
                continue
            if journey is Journey.OFFER and (fields["answer_state"] or not is_latest):
                continue
            ended_at = fields[f"{journey}_ended_at"]
            yield FailedJourney(
                survey_id=fields["survey_id"],
                conversation_id=_conversation_of(fields["survey_id"]),
                survey=terms.name if terms else "",
                journey=journey,
                reason=Reason(fields[f"{journey}_reason"]),
                failed_at=from_ms(ended_at) if ended_at else None,
            )


def _conversation_of(survey_id: str) -> int:
    return int(survey_id.partition("-")[0])


def _round_of(survey_id: str) -> int:
    return int(survey_id.partition("-")[2] or 1)
