"""`afterword doctor`: check the installation, before and while it runs."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

import click

from config.fingerprint import take_fingerprint
from config.settings import Settings
from service.cli.context import open_records, open_settings, paused_line, survey_names
from service.cli.output import say
from service.delivery.segments import Size
from service.delivery.short_text import measure_texts
from service.dixa.factory import open_dixa
from service.dixa.outage import Outage
from service.dixa.pace import open_pace
from service.intake.spool import Spool, SpoolUnavailable
from service.queue import QueueUnavailable, check_connection, make_app
from service.records.channels import Channels
from service.records.processes import Processes
from service.records.redis import RecordsUnavailable, connect
from service.records.redis_pool import USUAL_CONNECTIONS, WEB_CONNECTIONS, WORKER_CONNECTIONS
from service.surveys.definition import Survey
from service.surveys.errors import CallError
from service.surveys.ports import Deadline, Slot

_RETRY = "They retry in {:.0f} s, with the token they started with."
_OVERDUE = (
    "waiting for over a minute, though Redis is available. Is the web running? Its log may have spool.unavailable, "
    "spool.newer, redis.lost or recovery.failed."
)


@click.command(short_help="Check the installation.")
def doctor() -> None:
    """Check the settings, surveys.toml, Redis, the Dixa token and the spool."""
    settings = open_settings()
    say(f"ok   settings; surveys: {survey_names(settings)}")
    for warning in settings.warnings:
        say(f"warn {warning}")
    _report_sms_length(settings)
    is_redis_up = _report("Redis", _check_redis, settings)
    is_dixa_up = is_redis_up and _report("Dixa", _check_dixa, settings)
    if not is_redis_up:
        say("skip Dixa: not tested, since Redis failed.")
    is_spool_fine = _report("spool", partial(_check_spool, is_redis_up=is_redis_up), settings)
    if is_redis_up:
        _report_work(settings)
    sys.exit(0 if is_redis_up and is_dixa_up and is_spool_fine else 1)


def _report(name: str, step: Callable[[Settings], None], settings: Settings) -> bool:
    try:
        step(settings)
    except (RecordsUnavailable, CallError, SpoolUnavailable) as error:
        say(f"FAIL {name}: {error}")
        return False
    return True


def _check_redis(settings: Settings) -> None:
    records = open_records(settings)
    if problem := records.unusable():
        raise RecordsUnavailable(problem)
    try:
        records.read_clock()
    except RecordsUnavailable as error:
        raise RecordsUnavailable(f"{error}. Check REDIS_URL, and that Redis is running.") from error
    try:
        # Celery connects with a client of its own, kombu.
        check_connection(make_app(settings.redis_url))
    except QueueUnavailable as error:
        raise RecordsUnavailable(f"its queue is unavailable: {error}") from error
    problems = records.problems(_count_connections(settings))
    for problem in problems:
        say(f"warn Redis: {problem}", fg="yellow")
    if not problems:
        say("ok   Redis: keeps what it acknowledges")
    if saving := records.saving():
        say(f"tip  Redis: {saving}")


def _count_connections(settings: Settings) -> int:
    """Return the number of connections that the processes need: those running, or the Procfile's if they are more."""
    roles = Counter(each.role for each in _open_processes(settings).at_work())
    needed = roles["web"] * WEB_CONNECTIONS + roles["worker"] * WORKER_CONNECTIONS
    return max(needed, USUAL_CONNECTIONS)


def _check_dixa(settings: Settings) -> None:
    client, deadline = connect(settings.redis_url), Deadline(timedelta(seconds=15))
    dixa, cooldown = open_dixa(settings, client, observes_only=True), open_pace(settings, client).cooldown()
    if cooldown:
        trouble, wait = cooldown
        say(f"warn Dixa: the workers are waiting: {trouble} {_RETRY.format(wait.total_seconds())}", fg="yellow")
    if trouble := Outage(client).problem():
        say(f"warn {trouble}.", fg="yellow")
    # A cooldown holds the workers back. The operator must still be able to check a new token.
    if not cooldown:
        dixa.take_slot(deadline)
    tokens = settings.dixa_api_tokens
    for number, token in enumerate(tokens, 1):
        which = "the token" if len(tokens) == 1 else f"token {number} of {len(tokens)}"
        say(f"ok   Dixa: {which} belongs to {dixa.organization_name(Slot(token, deadline))}")


def _check_spool(settings: Settings, *, is_redis_up: bool) -> None:
    """Check the spool folder, if it exists yet. The web creates it."""
    if not settings.spool_dir:
        say("ok   spool: off")
        return
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes)
    if settings.spool_dir.exists():
        spool.prepare()
    if is_redis_up and (overdue := spool.overdue()):
        raise SpoolUnavailable(f"{overdue} {_OVERDUE}")
    say(f"ok   spool: {spool.waiting() or 'nothing'} waiting")


def _report_sms_length(settings: Settings) -> None:
    """Report the languages whose SMS takes more than one segment.

    Warn for DEFAULT_LANGUAGE and for each language with words of the survey's own.
    """
    others: dict[str, Size] = {}
    is_any_short = False
    for survey in filter(_may_be_sms, settings.surveys):
        long = {code: size for code, size in measure_texts(settings, survey).items() if size.segments > 1}
        if {settings.default_language, *survey.words}.isdisjoint(long):
            others |= long
            is_any_short = True
        else:
            hint = "" if settings.short_links else " SHORT_LINKS=on makes it shorter."
            problem = f'survey "{survey.name}": an SMS takes more than one segment in {_segments(long)}.{hint}'
            say(f"warn SMS: {problem}", fg="yellow")
    if is_any_short:
        more = f"; more in {_segments(others)}" if others else ""
        say(f"ok   SMS: one segment in {settings.default_language}{more}")


def _may_be_sms(survey: Survey) -> bool:
    return "message" in survey.deliver and (not survey.match.channels or "Sms" in survey.match.channels)


def _segments(sizes: Mapping[str, Size]) -> str:
    return ", ".join(f"{code} ({size.segments})" for code, size in sizes.items())


def _report_work(settings: Settings) -> None:
    """Report a pause, the channels that are down, and the running processes with their differences."""
    records, processes = open_records(settings), _open_processes(settings)
    if since := records.paused_since():
        say(f"warn {paused_line(since)}", fg="yellow")
    else:
        say("ok   surveys: not paused")
    for trouble in Channels.beside(records).troubles():
        say(f"warn {trouble}.", fg="yellow")
    count = Counter(each.place for each in processes.at_work())
    listed = ", ".join(f"{place} ({times})" if times > 1 else place for place, times in sorted(count.items()))
    say(f"ok   processes: {listed or 'none running'}")
    for problem in processes.find_disagreements(onlooker="this command"):
        say(f"warn {problem}", fg="yellow")


def _open_processes(settings: Settings) -> Processes:
    return Processes(connect(settings.redis_url), take_fingerprint(settings))
