"""The view "Failed": what has failed for good, why, and what to do. A login that may act retries one survey or all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog
from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.records.failed import FailedJourney, FailedJourneys
from service.records.outcomes import Outcome
from service.surveys.reasons import Reason
from service.surveys.states import Journey
from service.web.operator.blueprint import bp, operator
from service.web.operator.rendering import render_view
from service.web.services import services

log = structlog.get_logger()

MAX_SHOWN = 500
"""The latest ones. A retry of all takes as many."""

_WHAT = {Journey.OFFER: "not asked", Journey.ANSWER: "answer not in Dixa", Journey.FOLLOW_UP: "follow-up not done"}


@dataclass(frozen=True, slots=True)
class Group:
    """Journeys of one kind that failed for the same reason."""

    what: str
    reason: Reason
    failed: Sequence[FailedJourney]


@bp.get("/failed")
def failed() -> Response:
    """Show what has failed."""
    count, found = FailedJourneys.beside(services().records).list_retriable(MAX_SHOWN)
    return render_view("failed.html", "failed", groups=_group(found), count=count, max_shown=MAX_SHOWN, done=_done())


@bp.post("/failed")
def retry() -> ResponseReturnValue:
    """Retry one failed journey, or all that are shown."""
    records = services().records
    _, found = FailedJourneys.beside(records).list_retriable(MAX_SHOWN)
    one = (request.form.get("survey_id"), request.form.get("journey"))
    chosen = [each for each in found if "all" in request.form or (each.survey_id, each.journey) == one]
    retried = [each for each in chosen if records.retry(each.journey, each.survey_id) is Outcome.RETRIED]
    log.info("operator.retried", login=operator().login, count=len(retried))
    return redirect(url_for("operator.failed", retried=len(retried)), 303)


def _group(found: Sequence[FailedJourney]) -> list[Group]:
    """Return the largest group first."""

    def kind(each: FailedJourney) -> tuple[str, str]:
        return each.journey, each.reason

    groups = [[*group] for _, group in groupby(sorted(found, key=kind), kind)]
    return [Group(_WHAT[each[0].journey], each[0].reason, each) for each in sorted(groups, key=len, reverse=True)]


def _done() -> int | None:
    """Return how many journeys the last post has retried, if the page follows one."""
    given = request.args.get("retried", "")
    return int(given) if given.isdecimal() and len(given) < 6 else None  # noqa: PLR2004 - MAX_SHOWN has fewer digits
