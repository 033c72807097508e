"""What the commands need of the world: the settings, the records, and how it is said that they can't be had."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from config.environment import trust_certificates
from config.loader import SettingsError, read_settings
from config.settings import Settings
from service.cli.output import say
from service.records.redis import RecordsUnavailable, connect
from service.records.transitions import Records


@contextmanager
def redis_errors() -> Iterator[None]:
    """End the command with a line when Redis can't be asked."""
    try:
        yield
    except RecordsUnavailable as error:
        raise click.ClickException(f"Redis can't be asked: {error}") from error


def open_settings() -> Settings:
    """Read the settings; a mistake ends the command with a line for each."""
    try:
        settings = read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    trust_certificates(settings.certificates)
    return settings


def survey_names(settings: Settings) -> str:
    """List the surveys of surveys.toml."""
    return ", ".join(survey.name for survey in settings.surveys)


def open_records(settings: Settings) -> Records:
    """Make the records. Connects to nothing yet."""
    timings = settings.timings
    return Records(connect(settings.redis_url), lease=timings.lease, keep=timings.record_retention)


def say_paused(since: str) -> str:
    """Say that nobody is asked, and how to go on."""
    return f"PAUSED since {since}: nobody is asked. To go on: afterword resume"


def warn_if_paused(records: Records) -> str | None:
    """Say on stderr that nobody is asked, whatever the command is about: a pause must not be forgotten.

    Returns since when that is so.
    """
    since = records.paused_since()
    if since:
        say(say_paused(since), fg="yellow", err=True)
    return since
