"""Finds what Redis keeps of a person. No index leads from a person to their surveys: that would cost each webhook.

So the surveys are found by SCAN, in small steps. Redis serves others between two of them, and a search that was
stopped does no harm: begin again. All methods raise RecordsUnavailable when Redis can't be reached.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.records.codec import from_ms, load_close
from service.records.listing import STEP, Listing
from service.surveys.model import Close

_TIMES = re.compile(
    r".*_(?:at|due|lease)|latest_close|delivered_before|failed:.*|submitted:.*",
)
"""The fields of a record that are times, in epoch milliseconds."""
_RETRIED = ("email", "comment")
_OF_OTHERS = {"agent_id"}
"""Facts of a close about somebody else than the customer."""


@dataclass(frozen=True, slots=True)
class Person:
    """The identities of a person: Dixa's ids, and keyed hashes of ids, addresses and numbers (`Identities`)."""

    requester_ids: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def __or__(self, other: "Person") -> "Person":
        """Return the identities of both."""
        return Person(self.requester_ids | other.requester_ids, self.hashes | other.hashes)

    def meets(self, other: "Person") -> bool:
        """Return whether they share an identity."""
        return bool(self.requester_ids & other.requester_ids or self.hashes & other.hashes)

    @property
    def traits(self) -> tuple[str, ...]:
        """All identities, as opt-outs have them."""
        return (*sorted(self.requester_ids), *sorted(self.hashes))

    def is_in(self, text: str) -> bool:
        """Return whether one of the identities is in a text."""
        return any(each in text for each in self.traits)


@dataclass(frozen=True, slots=True)
class PersonsSurvey:
    """A survey of a person, and the close in its record."""

    survey_id: str
    close: Close

    @property
    def person(self) -> Person:
        """The identities in the record."""
        requester_id = self.close.requester_id
        return Person(frozenset([requester_id] if requester_id else ()), frozenset(self.close.person))


@dataclass(frozen=True, slots=True)
class CooldownSlot:
    """A person's slot: which of their hashes it has, when they were asked, with which survey, and its expiry.

    `earlier` are surveys before that one, which only the Custom Card needs.
    """

    trait: str
    asked_at: datetime
    survey_id: str
    earlier: tuple[str, ...]
    expires_at: datetime | None


class PersonalData(Listing):
    """The data of one installation on persons."""

    def count_keys(self) -> int:
        """Count all keys of this Redis, for a progress bar. Zero where Redis doesn't tell."""
        info = self._query(self._redis.info)
        return sum(each.get("keys", 0) for name, each in info.items() if re.fullmatch(r"db\d+", name))

    def find_surveys(self, person: Person, on_step: Callable[[int], object] = lambda _: None) -> list[PersonsSurvey]:
        """Return all surveys of a person. `on_step` gets the number of keys looked at since its last call.

        A record without a close, created from a link alone, has no identity and is not found.
        """
        found: dict[str, PersonsSurvey] = {}
        for fields in self._scan_fields(("survey_id", "close"), lambda: on_step(STEP)):
            # Parsing a million closes takes a minute, so the text is searched first.
            if person.is_in(fields["close"] or ""):
                survey_id = fields["survey_id"]
                survey = PersonsSurvey(survey_id, load_close(int(survey_id.partition("-")[0]), fields["close"]))
                if person.meets(survey.person):
                    found[survey_id] = survey
        return sorted(found.values(), key=lambda each: each.survey_id)

    def read_survey(self, survey_id: str) -> dict[str, Any]:
        """Return all fields of a record and the keys beside it, readable. Empty if it doesn't exist.

        It leaves out the agent, who is another person.
        """
        fields: Mapping[str, str] = self._run_command(lambda: self._redis.hgetall(self._key(survey_id)))
        if not fields:
            return {}
        names = [f"{self._prefix}retry:{survey_id}:{each}" for each in _RETRIED]
        *retried, code = self._run_command(lambda: self._redis.mget([*names, f"{self._prefix}short_of:{survey_id}"]))
        kept_for_retry = {name: text for name, text in zip(_RETRIED, retried, strict=True) if text is not None}
        return {
            **{name: _readable(name, text) for name, text in sorted(fields.items())},
            **({"kept_for_retry": kept_for_retry} if kept_for_retry else {}),
            **({"short_link_code": code} if code else {}),
            "deleted_at": self._expires_at(self._key(survey_id)),
        }

    def cooldown_slots(self, person: Person) -> Iterator[CooldownSlot]:
        """Yield the cooldown slots of a person."""
        keys = {f"{self._prefix}asked:{trait}": trait for trait in sorted(person.hashes)}
        found = self._run_command(lambda: self._redis.mget([*keys])) if keys else []
        for (key, trait), text in zip(keys.items(), found, strict=True):
            if text:
                asked_at, survey_id, *earlier = text.split()
                yield CooldownSlot(trait, from_ms(asked_at), survey_id, tuple(earlier), self._expires_at(key))

    def _expires_at(self, key: str) -> datetime | None:
        left_ms = self._run_command(lambda: self._redis.pttl(key))
        return datetime.now(UTC) + timedelta(milliseconds=left_ms) if left_ms > 0 else None


def _readable(name: str, text: str) -> Any:
    """Return a field's value: a time in ISO 8601, JSON decoded, anything else as it is stored."""
    if _TIMES.fullmatch(name) and text.isdigit():
        return from_ms(text).isoformat(timespec="seconds")
    if text[:1] not in {"{", "["} or name == "comment":
        return text
    value = json.loads(text)
    if isinstance(value, dict):
        value = {key: each for key, each in value.items() if key not in _OF_OTHERS}
        if isinstance(facts := value.get("facts"), dict):
            value["facts"] = {key: each for key, each in facts.items() if key not in _OF_OTHERS}
    return value
