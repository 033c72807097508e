"""What waits in the spool, as JSON: a close, a change, answers or a stop with all that is needed to write it down.

Two versions may share a spool during a deploy. What one adds the other ignores; whoever writes what an older version
must not, or can't, read raises `_VERSION`. Reasons and kinds need no new version: an unknown one is a newer one's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.intake.spool import Entry, EntryError, EntryIsNewer
from service.records.codec import dump_close, dump_mismatches, from_ms, load_close, load_mismatches, to_ms
from service.records.terms_codec import dump_terms, load_terms
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, Close, Offer, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.states import ChangeKind, Reason

_VERSION = 1
_REMOVAL = "removal"
"""An answer that removes the comment before it. An older version leaves this kind alone: it would keep the comment."""
_SEVERAL = "several"
"""What belongs together, and may be replaced as long as it waits: an older version must not bring it home."""
_KINDS = {"close", "change", "answer", _REMOVAL, "opt_out", _SEVERAL}


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer on its way in. A blank comment keeps the one before, None removes it."""

    link: Link
    terms: Survey
    scores: Mapping[RatingType, int]
    comment: str | None
    language: str
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class SpooledClose:
    """A close that was accepted while Redis couldn't be written."""

    close: Close
    candidates: tuple[Survey, ...]
    reason: Reason | None
    mismatches: tuple[RuleMismatch, ...] = ()

    @property
    def survey_id(self) -> str:
        """The survey this is about."""
        return str(self.close.conversation_id)


@dataclass(frozen=True, slots=True)
class SpooledChange:
    """A change that was heard of while Redis couldn't be written."""

    change: Change

    @property
    def survey_id(self) -> str:
        """The survey this is about, or an earlier one of the same conversation."""
        return str(self.change.conversation_id)


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """An answer that was taken while Redis couldn't be written."""

    answer: GivenAnswer
    answered_at: datetime

    @property
    def survey_id(self) -> str:
        """The survey this is about."""
        return self.answer.link.survey_id


@dataclass(frozen=True, slots=True)
class SpooledOptOut:
    """A stop of the surveys, or its undo, that was wished while Redis couldn't be asked whom the survey was for."""

    link: Link
    is_opt_in: bool
    wished_at: datetime

    @property
    def survey_id(self) -> str:
        """The survey whose customer wished it."""
        return self.link.survey_id


Waiting = SpooledClose | SpooledChange | SpooledAnswer | SpooledOptOut


def write_close(waiting: SpooledClose) -> Entry:
    """Write a close, with the surveys that were chosen for it."""
    close = waiting.close
    return {
        "v": _VERSION,
        "kind": "close",
        "conversation_id": close.conversation_id,
        "close": json.loads(dump_close(close)),
        **({"email": close.email} if close.email else {}),
        "terms": dump_terms(waiting.candidates[0]) if waiting.candidates else None,
        "others": list(map(dump_terms, waiting.candidates[1:])),
        "reason": waiting.reason,
        "mismatches": dump_mismatches(waiting.mismatches),
    }


def write_change(change: Change) -> Entry:
    """Write a change, with the time it happened."""
    return {
        "v": _VERSION,
        "kind": "change",
        "conversation_id": change.conversation_id,
        "change": change.kind,
        "happened_at": to_ms(change.happened_at),
    }


def write_answer(answer: GivenAnswer, answered_at: datetime) -> Entry:
    """Write an answer, with the time it was given by Redis' clock, if known (`Store.now`): the latest one counts."""
    return {
        "v": _VERSION,
        "kind": _REMOVAL if answer.comment is None else "answer",
        **_write_link(answer.link),
        "terms": dump_terms(answer.terms),
        "scores": dict(answer.scores),
        "comment": answer.comment or "",
        "language": answer.language,
        "is_suspect": answer.is_suspect,
        "answered_at": to_ms(answered_at),
    }


def write_opt_out(waiting: SpooledOptOut) -> Entry:
    """Write a stop or its undo, with its time by Redis' clock, if known: the later one counts."""
    return {
        "v": _VERSION,
        "kind": "opt_out",
        **_write_link(waiting.link),
        "is_opt_in": waiting.is_opt_in,
        "wished_at": to_ms(waiting.wished_at),
    }


def write_several(entries: Sequence[Entry]) -> Entry:
    """Write what waits together, all of one survey."""
    about = {name: entries[0][name] for name in ("survey_id", "conversation_id")}
    return {"v": _VERSION, "kind": _SEVERAL, **about, "entries": list(entries)}


def read_entries(entry: Entry) -> tuple[Waiting, ...]:
    """Read all that waits in an entry, as `read_entry` does."""
    if entry.get("kind") != _SEVERAL or _is_of_newer_version(entry):
        return (read_entry(entry),)
    within = entry.get("entries")
    if not isinstance(within, list) or not within or not all(isinstance(each, dict) for each in within):
        raise EntryError("entries")
    return tuple(read_entry(each) for each in within)


def read_entry(entry: Entry) -> Waiting:
    """Read what this or an older version wrote. Raises EntryIsNewer, or EntryError for what nobody can read."""
    try:
        if not _is_newer(entry):
            return _read(entry)
    except Exception as error:
        # Every surprise means the same: waiting won't mend it, and what comes after it must not wait for it.
        raise EntryError(type(error).__name__) from error
    raise EntryIsNewer("newer")


def _is_of_newer_version(entry: Entry) -> bool:
    return isinstance(entry.get("v"), int) and entry["v"] > _VERSION


def _is_newer(entry: Entry) -> bool:
    if _is_of_newer_version(entry):
        return True
    words = (("kind", _KINDS), ("change", {*ChangeKind}), ("reason", {*Reason}))
    named = [(entry[name], known) for name, known in words if entry.get(name)]
    if entry["kind"] == "close":
        named += [(why, {*Reason}) for _, why, *_ in entry.get("mismatches", ())]
    return any(isinstance(word, str) and word not in known for word, known in named)


def _read(entry: Entry) -> Waiting:
    if entry["kind"] == "opt_out":
        # Never guess which of the two it is: a wrong guess would ask somebody who wants no surveys.
        if not isinstance(entry["is_opt_in"], bool):
            raise TypeError("is_opt_in")
        return SpooledOptOut(_read_link(entry), entry["is_opt_in"], from_ms(entry["wished_at"]))
    if entry["kind"] in {"answer", _REMOVAL}:
        return SpooledAnswer(_read_answer(entry), from_ms(entry["answered_at"]))
    if entry["kind"] == "change":
        return SpooledChange(
            Change(int(entry["conversation_id"]), ChangeKind(entry["change"]), from_ms(entry["happened_at"]))
        )
    if entry["kind"] != "close":
        raise ValueError(entry["kind"])
    surveys = [*([entry["terms"]] if entry["terms"] else ()), *entry.get("others", ())]
    reason = Reason(entry["reason"]) if entry["reason"] else None
    close = load_close(int(entry["conversation_id"]), json.dumps(entry["close"]), entry.get("email"))
    mismatches = load_mismatches(entry.get("mismatches", ()))
    return SpooledClose(close, tuple(map(load_terms, surveys)), reason, mismatches)


def _read_answer(entry: Mapping[str, Any]) -> GivenAnswer:
    return GivenAnswer(
        link=_read_link(entry),
        terms=load_terms(entry["terms"]),
        scores={RatingType(rating): int(score) for rating, score in entry["scores"].items()},
        comment=None if entry["kind"] == _REMOVAL else str(entry["comment"]),
        language=str(entry["language"]),
        is_suspect=bool(entry["is_suspect"]),
    )


def _write_link(link: Link) -> Entry:
    return {
        "survey_id": link.survey_id,
        "conversation_id": link.conversation_id,
        "survey": link.survey_name,
        "rating_ids": {offer.rating: offer.rating_id for offer in link.offers},
    }


def _read_link(entry: Mapping[str, Any]) -> Link:
    offers = tuple(Offer(RatingType(rating), str(rating_id)) for rating, rating_id in entry["rating_ids"].items())
    return Link(str(entry["survey_id"]), int(entry["conversation_id"]), str(entry["survey"]), offers)
