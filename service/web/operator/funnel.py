"""The view "Funnel": how far the surveys of a period have come, and why the others have not."""

from flask import Response, request

from service.reports.funnel import Ending, Step, read_funnel
from service.surveys.reasons import Reason
from service.web.operator.blueprint import bp
from service.web.operator.rendering import Clock, read_filters
from service.web.operator.reports import choose, read, render_report
from service.web.services import services

_STEPS = {
    Step.CLOSED: "Closed",
    Step.ASKED: "Asked",
    Step.DELIVERED: "Delivered",
    Step.ANSWERED: "Answered",
    Step.SUBMITTED: "In Dixa",
}
_LOST = {
    Step.CLOSED: "Closed, not asked",
    Step.ASKED: "Asked, not delivered",
    Step.DELIVERED: "Delivered, not answered",
    Step.ANSWERED: "Answered, not in Dixa",
}
_ENDINGS = {
    Ending.UNDECIDED: "Not decided yet: the survey is due later.",
    Ending.ON_ITS_WAY: "The link is on its way.",
    Ending.LINK_WORKS: "No answer yet. The link still works.",
    Ending.LINK_EXPIRED: "No answer before the link expired.",
    Ending.IN_HAND: "The customer can still change the answer, or Dixa is about to get it.",
    Ending.CANCELLED: "Ended, for a reason that this version doesn't know.",
    Ending.FAILED: "Failed, for a reason that this version doesn't know.",
}


@bp.get("/funnel")
def funnel() -> Response:
    """Show the funnel."""
    filters, now = read_filters(), Clock(services().settings).now
    unfold = choose(request.args.get("unfold"), ("mismatches",))
    report = read(filters, lambda connection, chosen: read_funnel(connection, chosen, now, unfold=bool(unfold)))
    return render_report(
        "funnel.html",
        "funnel",
        report,
        filters,
        {"unfold": unfold},
        steps=_STEPS,
        lost=_LOST,
        meaning_of=_meaning_of,
        remedy_of=_remedy_of,
        reasons={str(reason): reason.meaning for reason in Reason},
    )


def _meaning_of(cause: Reason | Ending) -> str:
    return cause.meaning if isinstance(cause, Reason) else _ENDINGS[cause]


def _remedy_of(cause: Reason | Ending) -> str:
    return cause.remedy if isinstance(cause, Reason) else ""
