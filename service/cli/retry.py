"""`afterword retry` and `mark-restored`: recover after a failure."""

from collections import Counter
from collections.abc import Iterable

import click

from service.cli.context import open_records, open_settings, warn_if_paused
from service.cli.output import say
from service.cli.params import ConversationId
from service.records.failed import FailedJourney, FailedJourneys
from service.records.outcomes import Outcome
from service.records.records import Records
from service.surveys.reasons import Reason
from service.surveys.states import Journey


@click.command(short_help="Retry failed surveys.")
@click.argument("conversation_id", type=ConversationId(), required=False)
@click.option("--all-failed", is_flag=True, help="Retry every failed survey.")
@click.option(
    "--reason", type=click.Choice([*map(str, Reason)]), multiple=True, help="With --all-failed: only these reasons."
)
@click.option("--yes", is_flag=True, help="With --all-failed: start without confirmation.")
def retry(conversation_id: int | None, *, all_failed: bool, reason: tuple[str, ...], yes: bool) -> None:
    """Retry a survey that failed: its offer, its answer or its follow-up."""
    if all_failed is (conversation_id is not None):
        raise click.UsageError("Write a conversation, or --all-failed.")
    if not all_failed and (reason or yes):
        raise click.UsageError("--reason and --yes belong to --all-failed.")
    records = open_records(open_settings())
    warn_if_paused(records)
    if conversation_id is None:
        _retry_all(records, reason, is_agreed=yes)
    else:
        _retry_one(records, conversation_id)


def _retry_one(records: Records, conversation_id: int) -> None:
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
    say(f"{' and '.join(map(_spell, retried))} of conversation {conversation_id}: due again now.")


def _retry_all(records: Records, reasons: tuple[str, ...], *, is_agreed: bool) -> None:
    _, failed = FailedJourneys.beside(records).list_retriable(records.count_failed())
    found = [each for each in failed if not reasons or each.reason in reasons]
    if not found:
        say("Nothing has failed.")
        return
    say(f"Failed: {_count(found)}. All of them will be due at once, and done within the rate limit.")
    if not is_agreed:
        click.confirm("Retry them?", abort=True)
    retried = [each for each in found if records.retry(each.journey, each.survey_id) is Outcome.RETRIED]
    say(f"Due again now: {_count(retried) or 'none'}.", bold=True)
    if left := len(found) - len(retried):
        say(f"No longer failed, or answered meanwhile: {left}.")


def _count(found: Iterable[FailedJourney]) -> str:
    counted = Counter(each.journey for each in found)
    return ", ".join(f"{count} {_spell(journey)}{'s' if count > 1 else ''}" for journey, count in counted.items())


def _spell(journey: Journey) -> str:
    return str(journey).replace("_", "-")


@click.command("mark-restored", short_help="Reconcile with Dixa after a restore.")
def mark_restored() -> None:
    """Reconcile every record with Dixa before its next call, after Redis was restored from a backup."""
    open_records(open_settings()).mark_restored()
    say("Done. Every record made before now is reconciled with Dixa before its next call.")
