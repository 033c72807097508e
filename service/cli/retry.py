"""`afterword retry` and `restored`: what an operator does after something went wrong."""

import click

from service.cli.context import open_records, open_settings, redis_errors, warn_if_paused
from service.cli.output import say
from service.cli.params import ConversationId
from service.surveys.model import Journey


@click.command(short_help="Try again what is dead.")
@click.argument("conversation_id", type=ConversationId())
def retry(conversation_id: int) -> None:
    """Try a survey again that is dead: its offer, its answer, or what was to follow it."""
    records = open_records(open_settings())
    with redis_errors():
        warn_if_paused(records)
        outcomes = [
            (journey, records.revive(journey, survey_id))
            for number, survey_id in enumerate(records.rounds(conversation_id))
            for journey in Journey
            # An earlier round's offer would ask beside the latest one.
            if journey is not Journey.OFFER or number == 0
        ]
    revived = [journey for journey, outcome in outcomes if outcome == "revived"]
    if not revived:
        raise click.ClickException(f"Nothing of conversation {conversation_id} is dead; see: afterword why")
    say(f"{' and '.join(revived).replace('_', '-')} of conversation {conversation_id}: due again now.")


@click.command(short_help="After a restore of Redis: ask Dixa before every call.")
def restored() -> None:
    """After Redis was restored from a backup: look at Dixa before every call for what it holds."""
    with redis_errors():
        open_records(open_settings()).restored()
    say("Noted. Before each call for one of these records, Dixa is now asked whether it was made already.")
