"""`afterword check`: whether everything is right before, and while, it runs."""

import sys
from collections.abc import Callable
from datetime import timedelta

import click

from config.settings import Settings
from service.cli.opening import open_records, open_settings, say_paused, survey_names
from service.dixa.pace import open_pace
from service.dixa.wiring import open_dixa
from service.surveys.ports import Deadline, DixaError, Slot
from service.surveys.store import RecordsUnavailable, connect

_AGAIN = "They try again in {:.0f} s, with the token that they were started with."


@click.command()
def check() -> None:
    """Check the settings, surveys.toml, Redis and the Dixa token."""
    settings = open_settings()
    click.echo(f"ok   settings; surveys: {survey_names(settings)}")
    for warning in settings.warnings:
        click.echo(f"warn {warning}")
    steps = (("Redis", _check_redis), ("Dixa", _check_dixa))
    failed = [name for name, step in steps if not _report(name, step, settings)]
    if "Redis" not in failed:
        _tell_of_pause(settings)
    sys.exit(1 if failed else 0)


def _report(name: str, step: Callable[[Settings], None], settings: Settings) -> bool:
    try:
        step(settings)
    except (RecordsUnavailable, DixaError) as error:
        click.echo(f"FAIL {name}: {error}")
        return False
    return True


def _check_redis(settings: Settings) -> None:
    problems = open_records(settings).problems()
    for problem in problems:
        click.secho(f"warn Redis: {problem}", fg="yellow")
    if not problems:
        click.echo("ok   Redis: keeps what it acknowledges")


def _check_dixa(settings: Settings) -> None:
    client, deadline = connect(settings.redis_url), Deadline(timedelta(seconds=15))
    dixa, held = open_dixa(settings, client, only_looks=True), open_pace(settings, client).held()
    if held:
        trouble, wait = held
        click.secho(f"warn Dixa: the workers wait: {trouble} {_AGAIN.format(wait.total_seconds())}", fg="yellow")
    # A token that was refused holds the workers back, not the operator who looks whether the new one is right.
    slot = Slot(settings.dixa_api_tokens[0], deadline) if held else dixa.slot(deadline, timedelta(seconds=1))
    click.echo(f"ok   Dixa: the token belongs to {dixa.organization_name(slot)}")


def _tell_of_pause(settings: Settings) -> None:
    since = open_records(settings).paused_since()
    if since:
        click.secho(f"warn {say_paused(since)}", fg="yellow")
    else:
        click.echo("ok   asking: not paused")
