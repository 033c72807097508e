"""`afterword list`: surveys by state and reason."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import click

from service.cli.context import open_records, open_settings, warn_if_paused
from service.cli.output import say
from service.cli.params import json_option, read_since
from service.records.listing import Listed, Listing
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, FollowUpState, OfferState

_STATES = list(dict.fromkeys(map(str, (*OfferState, *AnswerState, *FollowUpState))))


@click.command("list", short_help="List surveys by state and reason.")
@click.option("--state", type=click.Choice(_STATES), multiple=True, help="Of any journey. Repeat it for several.")
@click.option("--reason", type=click.Choice([*map(str, Reason)]), multiple=True, help="See docs/reasons.md.")
@click.option("--since", type=read_since, metavar="DURATION", help="Accepted since then, such as 12h. Default: all.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Maximum of surveys.")
@json_option
def list_surveys(
    state: tuple[str, ...], reason: tuple[str, ...], since: timedelta | None, limit: int, *, as_json: bool
) -> None:
    """List surveys, in no order, as they are found. With --json, one object a line."""
    records = open_records(open_settings())
    warn_if_paused(records)
    oldest = datetime.now(UTC) - since if since else None
    found = _distinct(
        each
        for each in Listing.beside(records).list_all()
        if (not state or not set(state).isdisjoint(each.states.values()))
        and (not reason or not set(reason).isdisjoint(each.reasons.values()))
        and (oldest is None or each.accepted_at >= oldest)
    )
    for each in islice(found, limit):
        say(json.dumps(_facts(each)) if as_json else _row(each))
    if next(found, None):
        say(f"More than --limit {limit} match.", fg="yellow", err=True)


def _distinct(found: Iterator[Listed]) -> Iterator[Listed]:
    seen = set[str]()
    for each in found:
        if each.survey_id not in seen:
            seen.add(each.survey_id)
            yield each


def _row(each: Listed) -> str:
    journeys = ", ".join(
        f"{str(journey).replace('_', '-')} {state}" + (f": {each.reasons[journey]}" if journey in each.reasons else "")
        for journey, state in each.states.items()
    )
    return f"{each.survey_id:<12} {each.accepted_at:%Y-%m-%d %H:%M:%S}  {each.survey or '-':<16} {journeys}"


def _facts(each: Listed) -> dict[str, Any]:
    return {
        "survey_id": each.survey_id,
        "conversation_id": each.conversation_id,
        "survey": each.survey or None,
        "accepted_at": each.accepted_at.isoformat(timespec="seconds"),
        "states": each.states,
        "reasons": each.reasons,
    }
