"""The operator's commands. `check` and `why` only look; `retry` and `restored` change what is done next."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import click

from config.settings import Settings, SettingsError, read_settings
from service.dixa.wiring import open_dixa
from service.surveys.model import Journey, Record
from service.surveys.ports import Deadline, DixaError
from service.surveys.records import Records, RecordsUnavailable, connect


@click.group()
@click.version_option(version("afterword"), prog_name="afterword")
def main() -> None:
    """Afterword: customer-satisfaction surveys for Dixa."""


@main.command()
def check() -> None:
    """Check the settings, surveys.toml, Redis and the Dixa token."""
    settings = _settings()
    click.echo(f"ok   settings; surveys: {', '.join(survey.name for survey in settings.surveys)}")
    for warning in settings.warnings:
        click.echo(f"warn {warning}")
    steps = (("Redis", _check_redis), ("Dixa", _check_dixa))
    failed = [name for name, step in steps if not _report(name, step, settings)]
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("conversation_id", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def why(conversation_id: int, *, as_json: bool) -> None:
    """Tell why a conversation was or wasn't asked, and how far its survey is."""
    settings = _settings()
    with _redis_errors():
        record = _records(settings).load(str(conversation_id))
    if record is None:
        raise click.ClickException(
            f"Nothing is known of conversation {conversation_id}: no CONVERSATION_CLOSED event was accepted for it, "
            f"or its record has ended its life."
        )
    click.echo(json.dumps(_facts(record), indent=2) if as_json else "\n".join(_story(record)))


@main.command()
@click.argument("conversation_id", type=click.IntRange(min=1))
def retry(conversation_id: int) -> None:
    """Try a survey again that is dead: its offer, its answer, or both."""
    records = _records(_settings())
    with _redis_errors():
        outcomes = {journey: records.revive(journey, str(conversation_id)) for journey in Journey}
    revived = [journey for journey, outcome in outcomes.items() if outcome == "revived"]
    if not revived:
        raise click.ClickException(f"Nothing of conversation {conversation_id} is dead; see: afterword why")
    click.echo(f"{' and '.join(revived)} of conversation {conversation_id}: due again now.")


@main.command()
def restored() -> None:
    """After Redis was restored from a backup: look at Dixa before every call for what it holds."""
    with _redis_errors():
        _records(_settings()).restored()
    click.echo("Noted. Whatever these records ask for, Dixa is asked first whether it was done already.")


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        yield
    except RecordsUnavailable as error:
        raise click.ClickException(f"Redis can't be asked: {error}") from error


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _records(settings: Settings) -> Records:
    timings = settings.timings
    return Records(connect(settings.redis_url), lease=timings.lease, keep=timings.keep_records)


def _report(name: str, step: Callable[[Settings], str], settings: Settings) -> bool:
    try:
        click.echo(f"ok   {name}: {step(settings)}")
    except (RecordsUnavailable, DixaError) as error:
        click.echo(f"FAIL {name}: {error}")
        return False
    return True


def _check_redis(settings: Settings) -> str:
    problems = _records(settings).problems()
    return "keeps what it acknowledges" if not problems else "; ".join(["answers, BUT", *problems])


def _check_dixa(settings: Settings) -> str:
    dixa = open_dixa(settings, connect(settings.redis_url))
    slot = dixa.slot(Deadline(timedelta(seconds=15)), timedelta(seconds=1))
    return f"the token belongs to {dixa.organization_name(slot)}"


def _facts(record: Record) -> dict[str, Any]:
    answer = record.answer
    return {
        "conversation_id": record.conversation_id,
        "survey": record.terms.name if record.terms else None,
        "accepted_at": _time(record.accepted_at),
        "closed_at": _time(record.close.closed_at) if record.close else None,
        "state": record.offer.state,
        "reason": record.offer.reason or None,
        "due_at": _time(record.offer.due_at),
        "tries": record.offer.tries,
        "offers": {offer.rating: offer.rating_id for offer in record.offers},
        "channel": record.offer.channel or None,
        "delivered_at": _time(record.offer.delivered_at),
        "answer": answer
        and {
            "state": answer.state,
            "reason": answer.reason or None,
            "answered_at": _time(answer.answer.answered_at),
            "due_at": _time(answer.due_at),
            "scores": dict(answer.answer.scores),
            "has_comment": answer.has_comment,
            "tries": answer.tries,
        },
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _story(record: Record) -> Iterator[str]:
    """Tell the record in plain words, in the order in which it happened."""
    facts = _facts(record)
    yield f"Conversation {record.conversation_id}"
    if facts["closed_at"]:
        yield f"  closed       {facts['closed_at']}, heard of at {facts['accepted_at']}"
    yield f"  survey       {facts['survey'] or 'none'}"
    yield f"  offer        {record.offer.state}" + (f" because: {record.offer.reason}" if record.offer.reason else "")
    if record.offer.due_at:
        yield f"  due          {facts['due_at']}" + (
            f", tried {record.offer.tries} times" if record.offer.tries else ""
        )
    for offer in record.offers:
        yield f"  offered      {offer.rating}, rating id {offer.rating_id}"
    if record.offer.channel:
        yield f"  delivery     {record.offer.channel}, {facts['delivered_at'] or 'not finished'}"
    if record.answer:
        answer = facts["answer"]
        scores = ", ".join(f"{rating} {score}" for rating, score in answer["scores"].items())
        yield f"  answer       {scores}{' and a comment' if answer['has_comment'] else ''}, {answer['answered_at']}"
        yield f"  result       {answer['state']}" + (f" because: {answer['reason']}" if answer["reason"] else "")
    elif record.offers:
        yield "  answer       none yet"
