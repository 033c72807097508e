"""The JSON of a spool entry: a close, a change, answers or an opt-out, complete enough to write to the records.

Two versions may share a spool during a deploy. Each ignores the keys added by the other. An entry that an older version
can't or must not read needs a higher `_VERSION`. Reasons and kinds don't: an unknown one is from a newer version.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.intake.spool import Entry, EntryError, EntryIsNewer
from service.records.answer_transitions import GivenAnswer
from service.records.codec import dump_close, dump_mismatches, from_ms, load_close, load_mismatches, to_ms
from service.records.terms_codec import dump_terms, load_terms
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, Close, Offer, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind

_VERSION = 1
_REMOVAL = "removal"
"""An answer that removes the earlier comment. An older version would keep the comment, so this is a kind of its own."""
_SEVERAL = "several"
"""Merged entries. They may be replaced while they wait, so an older version must not drain them."""
_KINDS = {"close", "change", "answer", _REMOVAL, "opt_out", _SEVERAL}


@dataclass(frozen=True, slots=True)
class SpooledClose:
    """A close accepted while Redis was unavailable."""

    close: Close
    candidates: tuple[Survey, ...]
    reason: Reason | None
    mismatches: tuple[RuleMismatch, ...] = ()


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """An answer accepted while Redis was unavailable."""

    answer: GivenAnswer
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class SpooledOptOut:
    """An opt-out or opt-in received while Redis was unavailable. The customer is looked up when it is drained."""

    link: Link
    is_opt_in: bool
    wished_at: datetime


Waiting = SpooledClose | Change | SpooledAnswer | SpooledOptOut


def write_entry(waiting: Waiting) -> Entry:
    """Return an entry. Answers and opt-outs have their time by Redis's clock (`Store.now`): the latest one counts."""
    return {"v": _VERSION, **_write(waiting)}


def _write(waiting: Waiting) -> Entry:
    if isinstance(waiting, SpooledOptOut):
        return {
            "kind": "opt_out",
            **_write_link(waiting.link),
            "is_opt_in": waiting.is_opt_in,
            "wished_at": to_ms(waiting.wished_at),
        }
    if isinstance(waiting, SpooledAnswer):
        answer = waiting.answer
        return {
            "kind": _REMOVAL if answer.comment is None else "answer",
            **_write_link(answer.link),
            "terms": dump_terms(answer.terms),
            "scores": dict(answer.scores),
            "comment": answer.comment or "",
            "language": answer.language,
            "is_suspect": answer.is_suspect,
            "answered_at": to_ms(waiting.answered_at),
        }
    if isinstance(waiting, Change):
        return {
            "kind": "change",
            "conversation_id": waiting.conversation_id,
            "change": waiting.kind,
            "happened_at": to_ms(waiting.happened_at),
        }
    close = waiting.close
    return {
        "kind": "close",
        "conversation_id": close.conversation_id,
        "close": json.loads(dump_close(close)),
        **({"email": close.email} if close.email else {}),
        "terms": dump_terms(waiting.candidates[0]) if waiting.candidates else None,
        "others": list(map(dump_terms, waiting.candidates[1:])),
        "reason": waiting.reason,
        "mismatches": dump_mismatches(waiting.mismatches),
    }


def write_several(several: Sequence[SpooledAnswer | SpooledOptOut]) -> Entry:
    """Return one entry of several answers or opt-outs of one survey."""
    entries = list(map(write_entry, several))
    about = {name: entries[0][name] for name in ("survey_id", "conversation_id")}
    return {"v": _VERSION, "kind": _SEVERAL, **about, "entries": entries}


def read_entries(entry: Entry) -> tuple[Waiting, ...]:
    """Read an entry, or all entries merged in it. Raises the errors of `read_entry`."""
    if entry.get("kind") != _SEVERAL or _is_of_newer_version(entry):
        return (read_entry(entry),)
    within = entry.get("entries")
    if not isinstance(within, list) or not within or not all(isinstance(each, dict) for each in within):
        raise EntryError("entries")
    return tuple(read_entry(each) for each in within)


def read_entry(entry: Entry) -> Waiting:
    """Read an entry of this or an older version. Raises EntryIsNewer, or EntryError for an unreadable entry."""
    try:
        if not _is_newer(entry):
            return _read(entry)
    except Exception as error:
        # Whatever the error: another try won't help, and later entries must not wait for this one.
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
        # Don't guess which of the two it is: a wrong guess would send surveys to a customer who has opted out.
        if not isinstance(entry["is_opt_in"], bool):
            raise TypeError("is_opt_in")
        return SpooledOptOut(_read_link(entry), entry["is_opt_in"], from_ms(entry["wished_at"]))
    if entry["kind"] in {"answer", _REMOVAL}:
        return SpooledAnswer(_read_answer(entry), from_ms(entry["answered_at"]))
    if entry["kind"] == "change":
        return Change(int(entry["conversation_id"]), ChangeKind(entry["change"]), from_ms(entry["happened_at"]))
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
