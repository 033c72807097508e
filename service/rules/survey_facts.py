"""The facts of a conversation's surveys for programs: `afterword why --json` and `/api/v1/surveys/<conversation>`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.rules.identity import IdentityKind
from service.rules.mismatches import mismatches_of
from service.rules.timeline import is_paused, is_waiting
from service.surveys.model import Record
from service.surveys.reasons import Reason

OptOuts = Mapping[IdentityKind, datetime | None]


def tell_facts(
    rounds: Sequence[tuple[Record, OptOuts]], paused_since: str | None, down_since: datetime | None
) -> dict[str, Any]:
    """Return the latest of these rounds with all others, as JSON has it: times are ISO 8601 to the second."""
    latest, *earlier = (_facts(record, paused_since, down_since, opt_outs) for record, opt_outs in rounds)
    found: dict[str, Any] = _plain(latest | {"earlier_rounds": earlier})
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _facts(
    record: Record,
    paused_since: str | None,
    down_since: datetime | None,
    opt_outs: OptOuts,
) -> dict[str, Any]:
    answer, follow_up, reason = record.answer, record.follow_up, record.offer.reason
    return {
        "conversation_id": record.conversation_id,
        "survey_id": record.survey_id,
        "survey": record.terms.name if record.terms else None,
        "accepted_at": record.accepted_at,
        "closed_at": record.close.closed_at if record.close else None,
        "found_by": record.close.found_by if record.close else None,
        "state": record.offer.state,
        "reason": reason or None,
        "meaning": Reason(reason).meaning if reason else None,
        "to_change_it": Reason(reason).remedy if reason else None,
        "decided_at": record.decided_at,
        "mismatches": [
            {"survey": each.survey or None, "reason": each.reason, "rule": each.rule or None, "fact": each.fact}
            for each in mismatches_of(record)
        ],
        "facts": record.facts,
        "opted_out_by": opt_outs,
        "candidates": [survey.name for survey in record.candidates],
        "due_at": record.offer.due_at,
        "dixa_down_since": down_since if is_waiting(record) else None,
        "paused_since": paused_since if is_paused(record) else None,
        "tries": record.offer.tries,
        "offers": {offer.rating: offer.rating_id for offer in record.offers},
        "offered_at": record.offer.offered_at,
        "channel": record.offer.channel or None,
        "failed_channels": list(record.offer.failed),
        "delivery_note": record.offer.note or None,
        "delivered_at": record.offer.delivered_at,
        "reminded_at": record.offer.reminded_at,
        "ended_at": record.offer.ended_at,
        "answer": answer
        and {
            "state": answer.state,
            "reason": answer.reason or None,
            "answered_at": answer.answer.answered_at,
            "due_at": answer.due_at,
            "scores": answer.answer.scores,
            "has_comment": answer.has_comment,
            "is_suspect": answer.is_suspect,
            "tries": answer.tries,
            "ended_at": answer.ended_at,
        },
        "follow_up": follow_up
        and {
            "state": follow_up.state,
            "reason": follow_up.reason or None,
            "due_at": follow_up.due_at,
            "tries": follow_up.tries,
            "actions": {
                name: {"state": each.state, "problem": each.problem or None}
                | ({"sent_scores": each.sent_scores} if each.sent_scores else {})
                for name, each in follow_up.actions.items()
            },
        },
        "closed_again_at": record.latest_close,
    }
