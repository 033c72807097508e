"""The history of a conversation: all its rounds, and what holds them back, in three round trips.

Raises RecordsUnavailable when Redis can't be reached.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from service.records.codec import Hash, load_close, read_record
from service.records.opt_outs import HashedOptOuts, kinds_opted_out
from service.records.queries import Queries
from service.records.switches import Switches
from service.rules.identity import IdentityKind
from service.surveys.model import Close, Record

MAX_ROUNDS: Final = 100
"""The latest ones. More would be a conversation that a machine reopens."""

Traits = Mapping[str, IdentityKind]
OptOuts = Mapping[IdentityKind, datetime | None]


@dataclass(frozen=True, slots=True)
class History:
    """The rounds of a conversation, latest first, each with the opt-outs of its customer.

    `values` are those of the keys that the caller has named.
    """

    rounds: Sequence[tuple[Record, OptOuts]]
    paused_since: str | None
    values: Sequence[str | None]


class Histories(Queries, Switches, HashedOptOuts):
    """Reads the histories of one installation."""

    def load_history(self, conversation_id: int, traits_of: Callable[[Close], Traits], keys: Sequence[str]) -> History:
        """Load all rounds of a conversation, and read the strings under these keys."""
        survey_ids = self.list_rounds(conversation_id)[:MAX_ROUNDS]
        pipeline = self._redis.pipeline(transaction=False)
        for each in survey_ids:
            pipeline.hgetall(self._key(each))
        pipeline.mget([self._paused_key, self._secret_name, *keys])
        *found, (paused_since, secret, *values) = self._run_command(pipeline.execute)
        rounds = [fields for fields in found if fields]
        traits = [traits_of(close) if (close := _close_of(each)) else {} for each in rounds]
        times = self._read_beside(rounds, traits, secret)
        records = [read_record(each, self._find_terms) for each in rounds]
        opted_out = [kinds_opted_out(each, times) for each in traits]
        return History([*zip(records, opted_out, strict=True)], paused_since, values)

    def _read_beside(self, rounds: Iterable[Hash], traits: Iterable[Traits], secret: str | None) -> dict[str, Any]:
        """Learn the terms of these records, and return the opt-outs of these traits, in one round trip."""
        terms = self._unknown_terms([name for each in rounds for name in _terms_of(each)])
        people = [*dict.fromkeys(trait for each in traits for trait in each)]
        names = self._hash(secret, people[0], people[1:]) if secret and people else []
        pipeline = self._redis.pipeline(transaction=False)
        for keys in filter(None, ([*map(self._terms_key, terms)], names)):
            pipeline.mget(keys)
        found = iter(self._run_command(pipeline.execute) if terms or names else [])
        if terms:
            self._keep_terms(terms, next(found))
        return dict(zip(people, next(found), strict=True)) if names else {}


def _close_of(fields: Hash) -> Close | None:
    if not fields.get("close"):
        return None
    return load_close(int(fields["conversation_id"]), fields["close"], fields.get("email"))


def _terms_of(fields: Hash) -> Iterator[str]:
    yield fields.get("terms", "")
    yield from (each for each in json.loads(fields.get("candidates") or "[]") if isinstance(each, str))
