"""The view "Today": is it well, what was decided, and what is due in the next days. With a button to pause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flask import Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.doctor.finding import Finding, Level
from service.records.measurements import Measured, Measurements
from service.records.missed import MissedBookmark
from service.web.operator.blueprint import bp, operator
from service.web.operator.rendering import Clock, render_view, span
from service.web.readiness import Findings, Readiness
from service.web.services import Services, services
from service.web.thread_pool import run_in_thread

log = structlog.get_logger()

MAX_AGE_SECONDS: Final = 10.0
"""How old the findings may be. They cost some twenty round trips, so views share them, and with `/readyz` as well."""

_DAYS = 7


@dataclass(frozen=True, slots=True)
class DayDue:
    """How many surveys and reminders are due on a day."""

    label: str
    count: int


def recent_findings() -> tuple[Findings, datetime]:
    """Return the cheap findings of this process, and when they were made."""
    readiness: Readiness = current_app.extensions["afterword.readiness"]
    return readiness.findings(MAX_AGE_SECONDS)


@bp.get("")
def today() -> Response:
    """Show the day."""
    core, clock = services(), Clock(services().settings)
    measurements = Measurements.beside(core.records)
    measured = measurements.measure([*core.pace.arrival_keys])
    missed, missed_about = _describe_missed(core, clock)
    found, found_at = recent_findings()
    return render_view(
        "today.html",
        "today",
        measured=measured,
        troubles=[each for each in found if each[1].level in {Level.FAIL, Level.WARN}],
        worst=_worst([each for _, each in found]),
        missed=missed,
        missed_about=missed_about,
        found=found,
        found_at=found_at,
        due=[*_count_due(measurements, clock)],
        webhook_at=_moment(measured.last_webhook),
        workers=[each.age for each in measured.heartbeats if each.role == "worker" and each.is_alive],
        overdue=span(timedelta(seconds=max(each.overdue for each in measured.due.values()))),
        waiting=_count_waiting(measured),
        spooled=run_in_thread(core.spool.waiting) if core.spool else None,
        pace_used=core.pace.used_share(measured.values, measured.now),
        paused_since=datetime.fromisoformat(measured.paused_since) if measured.paused_since else None,
        done=request.args.get("done"),
    )


@bp.post("")
def pause_or_resume() -> ResponseReturnValue:
    """Pause surveys, or resume."""
    records = services().records
    wanted = request.form.get("sending")
    if wanted == "pause":
        records.pause()
        log.warning("operator.paused", login=operator().login)
    elif wanted == "resume":
        records.resume()
        log.warning("operator.resumed", login=operator().login)
    return redirect(url_for("operator.today", done=wanted), 303)


def _worst(found: Sequence[Finding]) -> Level:
    levels = {each.level for each in found}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)


def _count_due(measurements: Measurements, clock: Clock) -> Iterator[DayDue]:
    days = [clock.today + timedelta(ahead) for ahead in range(_DAYS)]
    bounds = [clock.midnight(day + timedelta(1)) for day in days]
    *counts, later = measurements.count_due(bounds)
    for ahead, (day, count) in enumerate(zip(days, counts, strict=True)):
        name = ("Today", "Tomorrow")[ahead] if ahead < 2 else f"{day:%A}"  # noqa: PLR2004 - the two names
        yield DayDue(f"{name}, {clock.day(day)}", count)
    yield DayDue("Later", later)


def _describe_missed(core: Services, clock: Clock) -> tuple[int | None, str]:
    """Return how many webhooks never arrived in the last days, and what became of their closes."""
    if not core.settings.recover_closes:
        return None, "RECOVER_CLOSES is off, so nobody looks"
    status = MissedBookmark.beside(core.records).status()
    if status is None:
        return None, "the workers have not looked yet"
    return sum(status.missed.values()), f"in a week, and taken. Compared with Dixa up to {clock.moment(status.until)}"


def _count_waiting(measured: Measured) -> int:
    """Count the surveys without a link at the customer: reminders are due offers, too."""
    return max(sum(due.surveys for journey, due in measured.due.items() if journey == "offer") - measured.reminding, 0)


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
