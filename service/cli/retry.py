"""`afterword retry` and `mark-restored`: recover after a failure."""

import click

from service.cli.context import open_records, open_settings, warn_if_paused
from service.cli.output import say
from service.cli.params import ConversationId
from service.records.outcomes import Outcome
from service.surveys.states import Journey


@click.command(short_help="Retry a failed survey.")
@click.argument("conversation_id", type=ConversationId())
def retry(conversation_id: int) -> None:
    """Retry a survey that failed: its offer, its answer or its follow-up."""
    records = open_records(open_settings())
    warn_if_paused(records)
    outcomes = [
        (journey, records.retry(journey, survey_id))
        for number, survey_id in enumerate(records.list_rounds(conversation_id))
        for journey in Journey
        # An earlier round's offer would ask beside the latest one.
        if journey is not Journey.OFFER or number == 0
    ]
    if all(outcome is Outcome.MISSING for _, outcome in outcomes):
        raise click.ClickException(f"There is no record of conversation {conversation_id}.")
    retried = [journey for journey, outcome in outcomes if outcome is Outcome.RETRIED]
    if not retried:
        raise click.ClickException(
            f"Nothing of conversation {conversation_id} has failed. See: afterword why {conversation_id}"
        )
    say(f"{' and '.join(retried).replace('_', '-')} of conversation {conversation_id}: due again now.")


@click.command("mark-restored", short_help="Reconcile with Dixa after a restore.")
def mark_restored() -> None:
    """Reconcile every record with Dixa before its next call, after Redis was restored from a backup."""
    open_records(open_settings()).mark_restored()
    say("Done. Every record made before now is reconciled with Dixa before its next call.")
