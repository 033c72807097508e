"""`afterword why`: the timeline of one conversation, as text or JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from service.cli.context import open_client, open_records, open_settings, paused_line, warn_if_paused
from service.cli.output import say_all, say_json
from service.cli.params import ConversationId, json_option
from service.dixa.outage import Outage, describe_outage, read_down_since
from service.records.history import Histories
from service.rules.identity import Identities, IdentityKind
from service.rules.mismatches import mismatches_of
from service.rules.timeline import describe, is_paused, is_waiting
from service.surveys.model import Record
from service.surveys.reasons import Reason


@click.command(short_help="Show why a survey was or wasn't sent.")
@click.argument("conversation_id", type=ConversationId())
@json_option
def why(conversation_id: int, *, as_json: bool) -> None:
    """Show why a survey was or wasn't sent, and its state."""
    settings = open_settings()
    records, outage = open_records(settings), Outage(open_client(settings))
    paused_since = warn_if_paused(records)
    traits_of = Identities(settings.secret_keys).kinds_of
    history = Histories.beside(records).load_history(conversation_id, traits_of, [outage.down_key])
    rounds, down_since = history.rounds, read_down_since(history.values[0])
    if not rounds:
        raise click.ClickException(
            f"There is no record of conversation {conversation_id}: no CONVERSATION_CLOSED event was accepted for it, "
            f"or its record has expired (RECORD_RETENTION). To ask about it: afterword ask {conversation_id}"
        )
    if as_json:
        latest, *earlier = (_facts(record, paused_since, down_since, opt_outs) for record, opt_outs in rounds)
        say_json(latest | {"earlier_rounds": earlier})
        return
    paused = paused_line(paused_since) if paused_since else ""
    for number, (record, opt_outs) in enumerate(reversed(rounds), 1):
        which = f", round {number} of {len(rounds)}" if len(rounds) > 1 else ""
        title = f"Conversation {conversation_id}{which} (times in UTC)"
        lines = describe(record, paused, describe_outage(down_since), opt_outs)
        say_all((*([""] if number > 1 else []), title, *lines))


def _facts(
    record: Record,
    paused_since: str | None,
    down_since: datetime | None,
    opt_outs: Mapping[IdentityKind, datetime | None],
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
