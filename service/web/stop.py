"""`/s/<token>/stop`: where a customer stops being asked. GET shows a button, since mail scanners open every link.

POST needs no more than the token: RFC 8058's one click comes from a mail provider's server, without a page before it.
"""

import structlog
from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue

from service.surveys.languages import N_
from service.surveys.links import LinkError
from service.surveys.store import RecordsUnavailable
from service.web import pages, survey
from service.web.body import read_body
from service.web.language import asked_language
from service.web.pages import PageContext
from service.web.seams import seams
from service.web.visit import Visit, open_visit

bp = Blueprint("stop", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST = 4 * 1024

TITLE = N_("Stop being asked for feedback?")
WHAT = N_("%(brand)s will not ask you to rate its support again, by e-mail or message.")
BUTTON = N_("Stop asking me")
STOPPED = N_("You will not be asked again")
UNKNOWN = N_("This could not be stopped here")
UNKNOWN_WHY = N_("We no longer know who this survey was sent to. Our support team can stop it for you.")
FAILED = N_("This is not saved. Please try again.")


@bp.get("/<token>/stop")
def show(token: str) -> ResponseReturnValue:
    """Show the button."""
    return _button(open_visit(token))


@bp.post("/<token>/stop")
def stop(token: str) -> ResponseReturnValue:
    """Stop asking whoever this survey was for."""
    visit = open_visit(token)
    read_body(request, LARGEST)  # What it says doesn't matter.
    survey_id, record = visit.link.survey_id, visit.record
    if visit.problem:
        return _not_kept(visit, visit.problem)
    requester_id = record.close.requester_id if record and record.close else None
    if requester_id is None:
        log.warning("stop.unknown", survey_id=survey_id)
        return unknown_page(visit.page)
    try:
        seams().stops.add(requester_id, record.close.person if record and record.close else ())
    except RecordsUnavailable as error:
        return _not_kept(visit, str(error))
    log.info("stop.kept", survey_id=survey_id, conversation_id=visit.link.conversation_id)
    return stopped_page(visit.page)


bp.register_error_handler(LinkError, survey.not_found)


def button_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Show the button that posts to `action`; once more, with what to do, when that has failed."""
    return pages.write_page(
        "stop.html",
        ctx.language,
        503 if failed else 200,
        ctx.look,
        parts=("more", "comment", *(("problem",) if failed else ())),
        ctx=ctx.in_passing,
        brand=ctx.brand,
        query="",
        title=TITLE,
        text=WHAT,
        button=BUTTON,
        failed=FAILED if failed else None,
        action=action,
    )


def stopped_page(ctx: PageContext) -> Response:
    """Say that it is done."""
    return pages.write_message(ctx, 200, title=STOPPED, text=ctx.language.say(WHAT, brand=ctx.brand), thanks=True)


def unknown_page(ctx: PageContext) -> Response:
    """Say that nobody is known whom to stop asking."""
    return pages.write_message(ctx, 410, title=UNKNOWN, text=UNKNOWN_WHY)


def _button(visit: Visit, *, failed: bool = False) -> Response:
    action = url_for("stop.stop", token=visit.token, lang=asked_language())
    return button_page(visit.page, action=action, failed=failed)


def _not_kept(visit: Visit, problem: str) -> Response:
    log.warning("stop.not_kept", survey_id=visit.link.survey_id, problem=problem)
    response = _button(visit, failed=True)
    response.headers["Retry-After"] = "5"
    return response
