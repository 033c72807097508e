"""`afterword ask`: ask about one conversation by hand, with the rules of any other."""

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event

import click

from config.settings import Settings
from service.cli.ask_forecast import Forecast, Forecaster, find_obstacle
from service.cli.context import open_client, open_records, open_settings, warn_if_paused
from service.cli.output import say, say_all
from service.cli.params import ConversationId
from service.dixa.close_lookup import CloseLookup
from service.dixa.factory import open_dixa
from service.dixa.low_priority import LowPriorityDixa
from service.intake.intake import Intake
from service.records.outcomes import Outcome
from service.records.records import Records
from service.rules.despite import RULES, lift
from service.rules.identity import Identities
from service.surveys.errors import CallError, Refused
from service.surveys.model import Close
from service.surveys.ports import Conversation
from service.surveys.states import FoundBy

_SHARE = 0.2
"""The share of DIXA_PACE. The calls of the workers come first."""
_EPILOG = f"Rules for --despite: {', '.join(RULES)}. docs/reasons.md has their meanings."


@click.command(short_help="Ask about one conversation by hand.", epilog=_EPILOG)
@click.argument("conversation_id", type=ConversationId())
@click.option(
    "--despite", "rules", type=click.Choice(RULES), multiple=True, metavar="RULE", help="Ask in spite of this rule."
)
@click.option("--dry-run", is_flag=True, help="Show what would happen.")
def ask(conversation_id: int, *, rules: tuple[str, ...], dry_run: bool) -> None:
    """Ask about a closed conversation, as if its webhook came now.

    Never asks a customer who has opted out, or about a conversation with a rating.
    """
    settings = open_settings()
    records = open_records(settings)
    warn_if_paused(records)
    try:
        _Asking(settings, records).ask(conversation_id, rules, is_dry_run=dry_run)
    except Refused as refusal:
        raise click.ClickException(f"Nothing was done. Conversation {conversation_id}: {refusal}") from refusal
    except CallError as error:
        raise click.ClickException(f"Nothing was done. Dixa is unavailable: {error}") from error


class _Asking:
    def __init__(self, settings: Settings, records: Records) -> None:
        dixa = open_dixa(settings, open_client(settings), observes_only=True)
        low_priority = LowPriorityDixa(dixa, settings.dixa_pace.rate * _SHARE, Event().wait)
        self._settings = settings
        self._records = records
        self._lookup = CloseLookup(dixa, low_priority, settings.surveys)
        self._forecaster = Forecaster(settings, records, dixa, low_priority)

    def ask(self, number: int, rules: tuple[str, ...], *, is_dry_run: bool) -> None:
        """Forecast, and take the close if the customer will be asked."""
        conversation, rounds = self._lookup.conversation(number), [*self._records.load_rounds(number)]
        close = self._lookup.close(conversation, FoundBy.OPERATOR)
        if close is None:
            raise click.ClickException(_not_closed(conversation))
        say(_describe(close))
        if obstacle := find_obstacle(next(iter(rounds), None), close):
            raise click.ClickException(f"{obstacle} See: afterword why {number}")
        now = datetime.now(UTC)
        surveys = lift(self._settings.surveys, rules, close, now)
        forecast = self._forecaster.forecast(close, conversation, surveys, rounds, now)
        say_all(_report(forecast, number, rules))
        if forecast.reason:
            raise click.exceptions.Exit(1)
        if is_dry_run:
            say("Dry run: nothing was written.")
            return
        intake = Intake(
            self._records,
            surveys,
            None,
            Identities(self._settings.secret_keys),
            own_addresses=self._settings.own_addresses,
        )
        if intake.take_close(close) is not Outcome.ACCEPTED:
            raise click.ClickException(f"The conversation has changed just now. See: afterword why {number}")
        say(f"Accepted. The rules apply again when it is due. To follow it: afterword why {number}", bold=True)


def _not_closed(conversation: Conversation) -> str:
    if conversation.is_erased:
        return "It was anonymised in Dixa."
    return f"It isn't closed: Dixa shows the state {conversation.state or 'unknown'}. Ask when it is closed."


def _describe(close: Close) -> str:
    facts = [f"{name} {fact}" for name, fact in close.facts.items() if name != "closed_at"]
    return f"Conversation {close.conversation_id}, closed {close.closed_at:%Y-%m-%d %H:%M:%S} UTC: {', '.join(facts)}."


def _report(forecast: Forecast, number: int, rules: tuple[str, ...]) -> Iterator[str]:
    reason, survey = forecast.reason, forecast.survey
    if reason is None:
        if survey and forecast.due_at:
            yield f"Survey {survey.name} will be sent by {' or '.join(survey.deliver)}, due {_spell(forecast.due_at)}."
        return
    yield f"Not asked: {reason}. {reason.meaning}"
    for each in forecast.mismatches:
        rule = f" (rule {each.rule}; found: {each.fact})" if each.rule else ""
        yield f"  {f'Survey {each.survey}' if each.survey else 'All surveys'}: {each.reason}{rule}."
    against = {reason, *(each.reason for each in forecast.mismatches)} & {*RULES}
    if against:
        options = " ".join(f"--despite {each}" for each in sorted({*rules, *against}))
        yield f"To ask all the same: afterword ask {number} {options}"
    else:
        yield "No option asks in spite of this."


def _spell(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
