"""`afterword why`: the timeline of one conversation, as text or JSON."""

import click

from service.cli.context import open_client, open_records, open_settings, paused_line, warn_if_paused
from service.cli.output import say_all, say_json
from service.cli.params import ConversationId, json_option
from service.dixa.outage import Outage, describe_outage, read_down_since
from service.records.history import Histories
from service.rules.identity import Identities
from service.rules.survey_facts import tell_facts
from service.rules.timeline import describe


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
        say_json(tell_facts(rounds, paused_since, down_since))
        return
    paused = paused_line(paused_since) if paused_since else ""
    for number, (record, opt_outs) in enumerate(reversed(rounds), 1):
        which = f", round {number} of {len(rounds)}" if len(rounds) > 1 else ""
        title = f"Conversation {conversation_id}{which} (times in UTC)"
        lines = describe(record, paused, describe_outage(down_since), opt_outs)
        say_all((*([""] if number > 1 else []), title, *lines))
