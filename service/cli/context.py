"""Settings and records for the commands. A failure ends the command with a clear line."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from config.environment import trust_certificates
from config.loader import SettingsError, read_settings
from config.settings import Settings
from service.cli.output import say
from service.records.records import Records
from service.records.redis import RecordsUnavailable, connect


@contextmanager
def redis_errors() -> Iterator[None]:
    """End the command with one line when Redis is unavailable."""
    try:
        yield
    except RecordsUnavailable as error:
        raise click.ClickException(f"Redis is unavailable: {error}") from error


def open_settings() -> Settings:
    """Read the settings. Mistakes end the command with one line each."""
    try:
        settings = read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    trust_certificates(settings.certificates)
    return settings


def survey_names(settings: Settings) -> str:
    """Return the names of all surveys, separated by commas."""
    return ", ".join(survey.name for survey in settings.surveys)


def open_records(settings: Settings) -> Records:
    """Return the records. Connects at the first command."""
    timings = settings.timings
    return Records(connect(settings.redis_url), lease=timings.lease, keep=timings.record_retention)


def say_paused(since: str) -> str:
    """Return the line about a pause."""
    return f"PAUSED since {since}: no survey is sent. To resume: afterword resume"


def warn_if_paused(records: Records) -> str | None:
    """Warn of a pause on stderr, so that nobody forgets it. Return its start, or None."""
    since = records.paused_since()
    if since:
        say(say_paused(since), fg="yellow", err=True)
    return since
