"""The keys of the records, and reads of them. Every read raises RecordsUnavailable when Redis can't be reached.

docs/architecture/records.md describes each key.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from service.records.codec import Hash, from_ms, read_record
from service.records.redis import Store
from service.records.tasks import QUEUE
from service.records.terms_codec import read_terms
from service.surveys.definition import Survey
from service.surveys.model import Record
from service.surveys.states import Journey

_MAX_KNOWN = 256
"""Terms in memory. Few are in use at a time, so all of them are forgotten when there are more."""


@dataclass(frozen=True, slots=True)
class KnownClose:
    """The latest close on record of a conversation. Without a time, the record was made from a link alone."""

    at: datetime | None
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class LastAsked:
    """When a person was last asked, and the ids of the surveys that their cooldown slots name."""

    at: datetime | None
    survey_ids: tuple[str, ...]


class Queries(Store):
    """Reads the surveys of one installation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known_terms: dict[str, Survey] = {}

    def _key(self, survey_id: str) -> str:
        return f"{self._prefix}survey:{survey_id}"

    def _rounds_key(self, conversation_id: int) -> str:
        return f"{self._prefix}rounds:{conversation_id}"

    def _decisions_key(self, day: date) -> str:
        return f"{self._prefix}decisions:{day}"

    @property
    def _reminding_key(self) -> str:
        return f"{self._prefix}reminding"

    @property
    def _failed_key(self) -> str:
        return f"{self._prefix}failed"

    def _terms_key(self, name: str) -> str:
        return f"{self._prefix}terms:{name}"

    @property
    def _queue_key(self) -> str:
        return f"{self._prefix}{QUEUE}"

    def _due(self, journey: Journey) -> str:
        return f"{self._prefix}due:{journey}"

    def load(self, survey_id: str) -> Record | None:
        """Return a record, or None if it doesn't exist."""
        fields: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._key(survey_id)))
        return self._read(fields) if fields else None

    def load_all(self, survey_ids: Sequence[str]) -> list[Record]:
        """Return the records that exist, in one round trip."""
        if not survey_ids:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for survey_id in survey_ids:
            pipeline.hgetall(self._key(survey_id))
        return [self._read(fields) for fields in self._run_command(pipeline.execute) if fields]

    def list_rounds(self, conversation_id: int) -> list[str]:
        """Return the ids of all surveys of a conversation, latest first. Not all of them need to exist any more."""
        last = int(self._run_command(lambda: self._redis.get(self._rounds_key(conversation_id))) or 1)
        return [f"{conversation_id}-{number}" for number in range(last, 1, -1)] + [str(conversation_id)]

    def load_rounds(self, conversation_id: int) -> Iterator[Record]:
        """Yield the records of a conversation, latest first."""
        return (record for survey_id in self.list_rounds(conversation_id) if (record := self.load(survey_id)))

    def known_closes(self, conversation_ids: Sequence[int]) -> dict[int, KnownClose]:
        """Return the latest known close of each of these conversations with a record, in two round trips."""
        if not conversation_ids:
            return {}
        rounds = self._run_command(lambda: self._redis.mget([*map(self._rounds_key, conversation_ids)]))
        pipeline = self._redis.pipeline(transaction=False)
        for number, last in zip(conversation_ids, rounds, strict=True):
            suffix = f"-{last}" if last and int(last) > 1 else ""
            pipeline.hmget(self._key(f"{number}{suffix}"), "survey_id", "close", "latest_close")
        found = zip(conversation_ids, self._run_command(pipeline.execute), strict=True)
        return {number: _read_known(close, latest) for number, (survey_id, close, latest) in found if survey_id}

    def asked_at(self, person: Sequence[str]) -> datetime | None:
        """Return when a customer with one of these hashes was last asked, as far as a cooldown remembers it."""
        return self.last_asked(person).at

    def last_asked(self, person: Sequence[str]) -> LastAsked:
        """Return the surveys in the cooldown slots of these hashes."""
        if not person:
            return LastAsked(None, ())
        slots = self._run_command(lambda: self._redis.mget([f"{self._prefix}asked:{trait}" for trait in person]))
        found = sorted((slot.split() for slot in slots if slot), key=lambda parts: int(parts[0]), reverse=True)
        survey_ids = tuple(dict.fromkeys(each for _, *ids in found for each in ids))
        return LastAsked(from_ms(found[0][0]) if found else None, survey_ids)

    def count_asked(self, survey: str, day: date) -> int:
        """Count the surveys of a day, if the survey has a daily cap."""
        return int(self._run_command(lambda: self._redis.get(f"{self._prefix}asks:{day}:{survey}")) or 0)

    def count_waiting(self) -> int:
        """Count the surveys without a link at the customer. Reminders are due offers too, but don't count."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zcard(self._due(Journey.OFFER))
        pipeline.scard(self._reminding_key)
        due, reminding = map(int, self._run_command(pipeline.execute))
        return max(due - reminding, 0)

    def count_failed(self) -> int:
        """Count the surveys that have failed for good, some of which may have expired since."""
        return int(self._run_command(lambda: self._redis.zcard(self._failed_key)))

    def list_failed(self, limit: int) -> list[str]:
        """Return the ids of surveys that have failed for good, latest first. Some may have expired since."""
        found: list[str] = self._run_command(lambda: self._redis.zrange(self._failed_key, 0, limit - 1, desc=True))
        return found

    def longest_overdue(self) -> timedelta:
        """Return for how long the survey due for longest has been due. Zero if none is."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        for journey in Journey:
            pipeline.zrange(self._due(journey), 0, 0, withscores=True)
        (seconds, micros), *firsts = self._run_command(pipeline.execute)
        now_ms = seconds * 1000 + micros // 1000
        oldest_ms = min((score for first in firsts for _, score in first), default=now_ms)
        return timedelta(milliseconds=max(now_ms - oldest_ms, 0))

    def count_decisions(self, day: date) -> dict[str, int]:
        """Count the decisions of a day by reason. Surveys sent count as `asked`."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._decisions_key(day)))
        return {reason: int(count) for reason, count in found.items() if int(count) > 0}

    def _read(self, fields: Hash) -> Record:
        return read_record(fields, self._find_terms)

    def _learn_terms(self, names: Iterable[str | None]) -> None:
        """Read the terms of these names that aren't known yet, in one round trip: `_find_terms` then needs none."""
        if unknown := self._unknown_terms(names):
            self._keep_terms(unknown, self._run_command(lambda: self._redis.mget([*map(self._terms_key, unknown)])))

    def _unknown_terms(self, names: Iterable[str | None]) -> list[str]:
        """Return the names that aren't known yet. A record of an older version has the terms themselves, as JSON."""
        return [each for each in dict.fromkeys(names) if each and each not in self._known_terms and each[0] != "{"]

    def _keep_terms(self, names: Sequence[str], texts: Sequence[str | None]) -> None:
        if len(self._known_terms) + len(names) > _MAX_KNOWN:
            self._known_terms.clear()
        self._known_terms |= {name: read_terms(text) for name, text in zip(names, texts, strict=True) if text}

    def _find_terms(self, name: str) -> Survey | None:
        """Return stored terms. The name is a hash of them, so they never change."""
        if name in self._known_terms:
            return self._known_terms[name]
        text: str | None = self._run_command(lambda: self._redis.get(self._terms_key(name)))
        if text is None:
            return None
        if len(self._known_terms) >= _MAX_KNOWN:
            self._known_terms.clear()
        self._known_terms[name] = found = read_terms(text)
        return found


def _read_known(close: str | None, latest_ms: str | None) -> KnownClose:
    if not close:
        return KnownClose(None)
    facts = json.loads(close)
    return KnownClose(from_ms(str(max(int(facts["closed_at"]), int(latest_ms or 0)))), facts.get("event_id", ""))
