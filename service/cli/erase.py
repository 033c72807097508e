"""`afterword show-person` and `erase`: show or delete everything kept of a person."""

from collections.abc import Iterator
from typing import Any

import click

from service.cli.context import open_settings
from service.cli.customer import HELP, Customer
from service.cli.output import say, say_all, say_json
from service.cli.params import json_option
from service.cli.person import Kept, find_kept
from service.intake.spool_search import FolderBusy, delete_entries
from service.records.opt_outs import HashedOptOuts
from service.records.personal_data import PersonalData

_ELSEWHERE = (
    "Not reached: spools of other hosts (run this there), backups, Dixa, and what alerts, webhooks and e-mails have "
    "passed on."
)


@click.command("show-person", short_help="Show everything kept of a person.", epilog=HELP)
@click.argument("customer")
@json_option
def show_person(customer: str, *, as_json: bool) -> None:
    """Show everything kept of a person. With --json, every field: an answer to a request for access."""
    kept = find_kept(open_settings(), Customer.read(customer))
    if as_json:
        say_json(_facts(kept))
        return
    say_all(_summary(kept))
    say(_ELSEWHERE)


@click.command(short_help="Erase everything kept of a person.", epilog=HELP)
@click.argument("customer")
@click.option("--opt-outs", is_flag=True, help="Also forget that they want no surveys.")
@click.option("--yes", is_flag=True, help="Erase without confirmation.")
def erase(customer: str, *, opt_outs: bool, yes: bool) -> None:
    """Erase everything kept of a person, and end their surveys. Running it again changes nothing more."""
    settings = open_settings()
    kept = find_kept(settings, Customer.read(customer))
    say_all(_summary(kept))
    entries = [each for each in kept.spooled if opt_outs or not each.is_opt_out]
    if kept.surveys or entries or (opt_outs and kept.opt_outs):
        if not yes:
            click.confirm("Erase it? This can't be undone.", abort=True, err=True)
        # The spool first: its entries would be written to the records again.
        if entries and settings.spool_dir:
            try:
                say(f"Spooled entries deleted: {delete_entries(settings.spool_dir, entries)}.")
            except FolderBusy:
                raise click.ClickException("The spool is being drained. Run this again in a minute.") from None
        say(f"Surveys erased: {_erase_surveys(kept)}. Their links say so now. The archive follows in a moment.")
        if opt_outs:
            deleted = HashedOptOuts.beside(kept.records).forget(kept.person.traits)
            say(f"Opt-outs deleted: {deleted}. This person may be asked again.")
        _rewrite(kept)
    say_all(_kept_on_purpose(kept, opt_outs=opt_outs))
    say(_ELSEWHERE)


def _erase_surveys(kept: Kept) -> int:
    erased = 0
    for each in kept.surveys:
        if record := kept.records.load(each.survey_id):
            kept.records.erase(record)
            erased += 1
    return erased


def _rewrite(kept: Kept) -> None:
    if kept.records.rewrite_if_erased():
        say("Redis rewrites its append-only file now: until then the file has the erased data.")
    else:
        say("Redis's append-only file has the erased data until its next rewrite, which a worker asks for.")


def _summary(kept: Kept) -> Iterator[str]:
    if kept.is_empty:
        yield "Nothing is kept of this person."
        return
    yield f"Surveys: {len(kept.surveys)}{_names([each.survey_id for each in kept.surveys])}"
    yield f"Cooldown slots: {len(kept.cooldown_slots)}"
    yield f"Opt-outs: {len(kept.opt_outs)}{_names(sorted({kept.kind_of(each) for each in kept.opt_outs}))}"
    yield f"Spooled entries on this host: {len(kept.spooled)}"


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f" ({shown}{', …' if len(names) > 20 else ''})" if names else ""  # noqa: PLR2004


def _kept_on_purpose(kept: Kept, *, opt_outs: bool) -> Iterator[str]:
    if kept.surveys:
        yield "Kept: a record of each survey, without data on the customer. It prevents a second survey."
    if slots := [*PersonalData.beside(kept.records).cooldown_slots(kept.person)]:
        last = max((each.expires_at for each in slots if each.expires_at), default=None)
        until = f" until {last:%Y-%m-%d}" if last else ""
        yield f"Kept: {len(slots)} cooldown slots, hashes and a time{until}. They prevent a survey too soon."
    if kept.opt_outs and not opt_outs:
        yield f"Kept: {len(kept.opt_outs)} opt-outs, hashes and a time. They are the customer's wish; see --opt-outs."
    if not opt_outs and (waiting := sum(each.is_opt_out for each in kept.spooled)):
        yield f"Kept: {waiting} spooled opt-outs. If the log has opt_out.unknown, use `afterword opt-out`."


def _facts(kept: Kept) -> dict[str, Any]:
    data = PersonalData.beside(kept.records)
    return {
        "requester_ids": sorted(kept.person.requester_ids),
        "hashes": {each: kept.kind_of(each) for each in sorted(kept.person.hashes)},
        "surveys": [data.read_survey(each.survey_id) for each in kept.surveys],
        "cooldown_slots": [
            {
                "identity": kept.kind_of(each.trait),
                "asked_at": each.asked_at,
                "survey_id": each.survey_id,
                "earlier_survey_ids": each.earlier,
                "deleted_at": each.expires_at,
            }
            for each in kept.cooldown_slots
        ],
        "opt_outs": [{"identity": kept.kind_of(each), "since": since} for each, since in kept.opt_outs.items()],
        "spooled": [each.content for each in kept.spooled],
    }
