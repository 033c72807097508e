"""Settings and records for the commands."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import click
import structlog

from config.environment import trust_certificates
from config.loader import SettingsError, read_settings
from config.settings import Settings
from service.cli.output import say
from service.records.confirmation import ConfirmingRedis
from service.records.records import Records
from service.records.redis import RecordsUnavailable, connect

_RENAMED = {
    "check": "doctor",
    "counts": "stats",
    "stop": "opt-out",
    "unstop": "opt-in",
    "restored": "mark-restored",
}
"""Former names of commands."""


class Commands(click.Group):
    """Commands that end with a clear line when a setting is wrong or Redis is unavailable."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, and refuse a former name with the new one."""
        if cmd_name in _RENAMED:
            raise click.UsageError(f"`{cmd_name}` is called `{_RENAMED[cmd_name]}` now.", ctx)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            with _log_on_stderr():
                return super().invoke(ctx)
        except SettingsError as error:
            raise click.ClickException(str(error)) from error
        except RecordsUnavailable as error:
            raise click.ClickException(f"Redis is unavailable: {error}") from error


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Show only warnings of the log, on stderr: the commands have their own output."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def open_settings(stand_ins: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Read the settings. `stand_ins` are for variables that need not be set yet. Raises SettingsError."""
    settings = read_settings(stand_ins=stand_ins)
    trust_certificates(settings.certificates)
    return settings


def survey_names(settings: Settings) -> str:
    """Return the names of all surveys, separated by commas."""
    return ", ".join(survey.name for survey in settings.surveys)


def open_client(settings: Settings) -> ConfirmingRedis:
    """Return a client. Connects at the first command."""
    return connect(settings.redis_url, replicas=settings.redis_replicas)


def open_records(settings: Settings) -> Records:
    """Return the records. Connects at the first command."""
    timings = settings.timings
    return Records(
        open_client(settings),
        lease=timings.lease,
        keep=timings.record_retention,
        retention=settings.retention,
        is_archived=settings.archive_url is not None,
        events=settings.sent_events,
    )


def paused_line(since: str) -> str:
    """Return the line about a pause."""
    return f"PAUSED since {since}: no survey is sent. To resume: afterword resume"


def warn_if_paused(records: Records) -> str | None:
    """Warn of a pause on stderr, so that nobody forgets it. Return its start, or None."""
    if since := records.paused_since():
        say(paused_line(since), fg="yellow", err=True)
    return since
