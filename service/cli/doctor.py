"""`afterword doctor`: what is wrong with the installation, and what to do about it."""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import click

from config.settings import Settings
from service.cli.context import open_client, open_records, open_settings
from service.cli.output import say, say_json
from service.cli.params import json_option
from service.doctor.checks import CHECKS, with_needed
from service.doctor.finding import Finding, Level, examine
from service.doctor.installation import Installation, open_installation
from service.doctor.last_run import LastRun, LastRuns
from service.intake.spool import Spool
from service.records.redis import RecordsUnavailable

_COLOURS = {Level.WARN: "yellow", Level.FAIL: "red"}


@click.command(short_help="Check the installation.")
@click.option(
    "--only", "ids", multiple=True, metavar="ID", help="Make this check alone, such as spool or redis. Repeat it."
)
@click.option("--send", is_flag=True, help="Send a test message to Slack and the outgoing webhooks.")
@json_option
def doctor(ids: tuple[str, ...], *, send: bool, as_json: bool) -> None:
    """Check the installation. Each line has the id of its check, and what to do.

    The exit code is 0 if all is ok, 1 if a check fails, and 2 if there are only warnings.
    """
    if unknown := [each for each in ids if not with_needed([each])]:
        known = ", ".join(each.id for each in CHECKS)
        raise click.UsageError(f"--only {unknown[0]} is no check. Known: {known}.")
    installation = replace(examined(open_settings()), sends=send)
    found: list[tuple[str, Finding]] = []
    for name, finding in examine(with_needed(ids) if ids else CHECKS, installation):
        if ids and not _is_wanted(name, ids) and finding.level is Level.OK:
            continue
        found.append((name, finding))
        if not as_json:
            say(f"{finding.level:<4} {name:<20} {finding}", fg=_COLOURS.get(finding.level))
    if as_json:
        say_json([{"id": name, "level": each.level, "text": each.text, "remedy": each.remedy} for name, each in found])
    elif not ids:
        say(_summary(found))
    if not ids:
        # Best effort: without Redis, the findings say so.
        with suppress(RecordsUnavailable):
            LastRuns.beside(installation.records).write(LastRun(datetime.now(UTC), socket.gethostname(), found))
    levels = {each.level for _, each in found}
    sys.exit(1 if Level.FAIL in levels else 2 if Level.WARN in levels else 0)


def _summary(found: Sequence[tuple[str, Finding]]) -> str:
    """Count the findings, and name those that are not ok: they may have scrolled away."""
    names = {level: [name for name, each in found if each.level is level] for level in Level}
    parts = (
        f"{len(names[level])} {level}: {', '.join(dict.fromkeys(names[level]))}. "
        for level in (Level.FAIL, Level.WARN)
        if names[level]
    )
    return f"{''.join(parts)}{len(names[Level.OK])} ok."


def examined(settings: Settings) -> Installation:
    """Return the installation as a command sees it."""
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes) if settings.spool_dir else None
    return open_installation(settings, open_client(settings), open_records(settings), spool, onlooker="this command")


def _is_wanted(name: str, ids: Sequence[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in ids)
