"""The codec of a record's hash: the one place with its field names, beside the Lua scripts that write them.

docs/architecture/records.md lists the fields. Times are epoch milliseconds as text; lists are JSON.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.records.terms_codec import load_fields, load_terms, read_terms
from service.surveys.definition import Survey
from service.surveys.model import (
    ActionProgress,
    Answer,
    AnswerProgress,
    Call,
    Close,
    FollowUp,
    Offer,
    OfferProgress,
    Record,
    RuleMismatch,
)
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, AnswerState, FollowUpState, Journey, OfferState

Hash = Mapping[str, str]
FindTerms = Callable[[str], Survey | None]
"""Returns the survey of this name (`store_terms`), or None if Redis doesn't have it any more."""
_NO_FACTS = {"conversation_id", "email", "phone", "odd_email"}
"""The fields of `Close` that its JSON doesn't contain."""
_ABSENT = {each.name: each.default for each in dataclasses.fields(Close) if each.name not in _NO_FACTS} | {"tags": None}
"""The facts that have no key: unknown tags, and everything else with its default."""
_FIRST_FACTS = ("closed_at", "channel", "state", "language")
"""The facts that operators see before the others of a decision."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_EPOCH = datetime.fromtimestamp(0, UTC)
_MS = timedelta(milliseconds=1)


def to_ms(value: datetime | timedelta) -> int:
    """Return milliseconds: since the epoch, or of the duration."""
    return (value if isinstance(value, timedelta) else value - _EPOCH) // _MS


def from_ms(milliseconds: str | int) -> datetime:
    """Return the time of these milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=int(milliseconds))


def dump_close(close: Close) -> str:
    """Return a close as JSON for `load_close`. It omits absent facts, and the address in any case."""
    known = {name: fact for name, absent in _ABSENT.items() if (fact := getattr(close, name)) != absent}
    return _JSON.encode(known | {"closed_at": to_ms(close.closed_at)})


def load_close(conversation_id: int, text: str, email: str | None = None) -> Close:
    """Read a close from a record. Facts added by a later version are ignored. The address is a field of its own."""
    facts = json.loads(text)
    closed_at = from_ms(facts.pop("closed_at"))
    return Close(conversation_id, closed_at, **{"tags": None} | load_fields(Close, facts) | {"email": email})


def dump_mismatches(mismatches: Sequence[RuleMismatch]) -> list[list[str]]:
    """Write mismatches as JSON has them."""
    return [[each.survey, each.reason, each.rule, each.fact] for each in mismatches]


def load_mismatches(entries: Iterable[Sequence[str]]) -> tuple[RuleMismatch, ...]:
    """Read mismatches from the JSON of `dump_mismatches`."""
    return tuple(RuleMismatch(survey, Reason(why), *rest) for survey, why, *rest in entries)


def write_decision(
    mismatches: Sequence[RuleMismatch], facts: Mapping[str, str] | None = None, close: Close | None = None
) -> str:
    """Return a decision as JSON: its mismatches, and the facts that the close of the record doesn't have."""
    given: dict[str, Any] = {"mismatches": dump_mismatches(mismatches)} if mismatches else {}
    if facts:
        of_close = _facts_of(close)
        given["facts"] = {name: fact for name, fact in facts.items() if fact != of_close.get(name)}
    return _JSON.encode(given)


def _read_facts(decision: Mapping[str, Any], close: Close | None) -> dict[str, str]:
    """Return the facts of a decision. At first the time of the close is the only one."""
    found = _facts_of(close) | decision.get("facts", {})
    shown = (*_FIRST_FACTS, *found) if "facts" in decision else ("closed_at",)
    return {name: found[name] for name in shown if name in found}


def _facts_of(close: Close | None) -> dict[str, str]:
    return close.facts if close else {}


def read_record(fields: Hash, find_terms: FindTerms) -> Record:
    """Read a record from its hash. Raises what `find_terms` raises."""
    conversation_id = int(fields["conversation_id"])
    terms = resolve_terms(fields.get("terms", ""), find_terms)
    # Page and results follow the survey's order of ratings, and the comment goes with the first result. A link may have
    # types that the survey no longer has, so all others come after.
    ratings = tuple(dict.fromkeys((*(terms.ratings if terms else ()), *RatingType)))
    candidates = [_read_candidate(each, find_terms) for each in _read_json(fields, "candidates", ())]
    decision = _read_json(fields, "decision", {})
    close = load_close(conversation_id, fields["close"], fields.get("email")) if fields.get("close") else None
    return Record(
        survey_id=fields["survey_id"],
        conversation_id=conversation_id,
        accepted_at=from_ms(fields["accepted_at"]),
        close=close,
        terms=terms,
        offer=_read_offer(fields),
        offers=tuple(Offer(each, fields[f"rating_id:{each}"]) for each in ratings if f"rating_id:{each}" in fields),
        reconcile_first="reconcile_first" in fields,
        answer=_read_answer(fields, ratings) if "answer_state" in fields else None,
        follow_up=_read_follow_up(fields) if "follow_up_state" in fields else None,
        candidates=tuple(filter(None, candidates)) or ((terms,) if terms else ()),
        mismatches=load_mismatches(decision.get("mismatches", ())),
        facts=_read_facts(decision, close),
        decided_at=_read_time(fields, "decided_at"),
        earlier=tuple(_read_json(fields, "earlier", ())),
        delivered_before=_read_time(fields, "delivered_before"),
        latest_close=_read_time(fields, "latest_close"),
        cooldown_survey=fields.get("cooldown_survey", ""),
        unsent_events={name: from_ms(each) for name, each in _read_json(fields, "unsent_events", {}).items()},
    )


def resolve_terms(stored: str, find_terms: FindTerms) -> Survey | None:
    """Return the survey of a record's field `terms`."""
    if stored.startswith("{"):  # the terms themselves, in a record of an older version
        return read_terms(stored)
    return find_terms(stored) if stored else None


def _read_candidate(stored: str | Mapping[str, Any], find_terms: FindTerms) -> Survey | None:
    return find_terms(stored) if isinstance(stored, str) else load_terms(stored)


def _read_call(fields: Hash, journey: Journey) -> Call | None:
    subject = fields.get(f"{journey}_call")
    if subject is None:
        return None
    return Call(
        rating=RatingType(subject),
        sent_at=from_ms(fields[f"{journey}_sent_at"]),
        seen=tuple(json.loads(fields[f"{journey}_seen"])),
    )


def _read_json(fields: Hash, name: str, absent: Any) -> Any:
    return json.loads(fields[name]) if fields.get(name) else absent


def _read_time(fields: Hash, name: str) -> datetime | None:
    return from_ms(fields[name]) if name in fields else None


def _read_offer(fields: Hash) -> OfferProgress:
    return OfferProgress(
        state=OfferState(fields["offer_state"]),
        reason=fields.get("offer_reason", ""),
        due_at=_read_time(fields, "offer_due"),
        tries=int(fields.get("offer_tries", 0)),
        call=_read_call(fields, Journey.OFFER),
        before=tuple(json.loads(fields["offer_before"])) if "offer_before" in fields else None,
        channel=fields.get("channel", ""),
        language=fields.get("language", ""),
        delivered_at=_read_time(fields, "delivered_at"),
        failed=tuple(sorted(name.removeprefix("failed:") for name in fields if name.startswith("failed:"))),
        mailed_at=_read_time(fields, "reminder_mailed_at" if fields["offer_state"] == "reminding" else "mailed_at"),
        reminded_at=_read_time(fields, "reminded_at"),
        note=fields.get("delivery_note", ""),
        offered_at=_read_time(fields, "offered_at"),
        ended_at=_read_time(fields, "offer_ended_at"),
        retried_at=_read_time(fields, "offer_retried_at"),
    )


def _read_answer(fields: Hash, ratings: Sequence[RatingType]) -> AnswerProgress:
    return AnswerProgress(
        state=AnswerState(fields["answer_state"]),
        answer=Answer(
            scores={each: int(fields[f"score:{each}"]) for each in ratings if f"score:{each}" in fields},
            comment=fields.get("comment", ""),
            language=fields.get("answer_language", ""),
            answered_at=from_ms(fields["answered_at"]),
        ),
        reason=fields.get("answer_reason", ""),
        due_at=_read_time(fields, "answer_due"),
        tries=int(fields.get("answer_tries", 0)),
        call=_read_call(fields, Journey.ANSWER),
        submitted=tuple(each for each in RatingType if f"submitted:{each}" in fields),
        comment_sha1=fields.get("comment_sha1", ""),
        is_suspect="suspect" in fields,
        first_answered_at=_read_time(fields, "first_answered_at"),
        retried_at=_read_time(fields, "answer_retried_at"),
        ended_at=_read_time(fields, "answer_ended_at"),
    )


def _read_follow_up(fields: Hash) -> FollowUp:
    names = sorted(name.removeprefix("action:") for name in fields if name.startswith("action:"))
    return FollowUp(
        state=FollowUpState(fields["follow_up_state"]),
        reason=fields.get("follow_up_reason", ""),
        due_at=_read_time(fields, "follow_up_due"),
        tries=int(fields.get("follow_up_tries", 0)),
        retried_at=_read_time(fields, "follow_up_retried_at"),
        actions={name: _read_action(fields, name) for name in names},
    )


def _read_action(fields: Hash, name: str) -> ActionProgress:
    sent_scores = json.loads(fields.get(f"sent_scores:{name}", "{}"))
    return ActionProgress(
        ActionState(fields[f"action:{name}"]),
        fields.get(f"problem:{name}", ""),
        {RatingType(rating): int(score) for rating, score in sent_scores.items()},
    )
