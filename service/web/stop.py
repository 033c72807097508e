"""`/s/<token>/stop`: where a customer stops being asked, and undoes it. GET shows a button: scanners open every link.

POST needs no more than the token: RFC 8058's one click comes from a mail provider's server, without a page before it.
Only our own button `undo` undoes; whatever else is posted stops. While Redis is away both wait in the spool.
"""

from dataclasses import replace
from typing import Any

import structlog
from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from service.intake.intake import NotKept, Stopped
from service.records.redis import RecordsUnavailable
from service.surveys.links import LinkError
from service.texts.catalog import N_
from service.web import pages, survey
from service.web.body import read_body
from service.web.language import asked_language
from service.web.page_context import PageContext
from service.web.services import seams
from service.web.survey_context import Visit, open_visit

bp = Blueprint("stop", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST = 4 * 1024
UNDO = "undo"
_ONE_CLICK = "List-Unsubscribe"

TITLE = N_("Stop being asked for feedback?")
WHAT = N_("%(brand)s will not ask you to rate its support again, by e-mail or message.")
STOP = N_("Stop asking me")
STOPPED = N_("You will not be asked again")
STOPPED_WHAT = N_("%(brand)s sends you no more surveys. You can change your mind here.")
KEEP = N_("Keep asking me")
KEPT = N_("You may be asked again")
KEPT_WHAT = N_("%(brand)s may ask you now and then to rate its support.")
UNKNOWN = N_("This could not be stopped here")
UNKNOWN_UNDO = N_("This could not be undone here")
UNKNOWN_WHY = N_("We no longer know who this survey was sent to. Our support team can do it for you.")
FAILED = N_("This is not saved. Please try again.")


@bp.get("/<token>/stop")
def show(token: str) -> ResponseReturnValue:
    """Show whether it is stopped, and the button for the other."""
    visit = open_visit(token)
    return stopped_page(visit.page, action=_action(visit)) if _has_stopped(visit) else _button(visit)


@bp.post("/<token>/stop")
def stop(token: str) -> ResponseReturnValue:
    """Stop asking whoever this survey was for, or ask them again."""
    visit = open_visit(token)
    is_undo = _is_undo()
    try:
        outcome = seams().intake.take_stop(visit.link, is_undo=is_undo)
    except NotKept as error:
        return _not_kept(visit, is_undo=is_undo, problem=str(error))
    if outcome in {Stopped.UNKNOWN, Stopped.STOPPED_OTHERWISE}:
        return unknown_page(visit.page, is_undo=is_undo)
    page = kept_page if is_undo else stopped_page
    return page(visit.page, action=_action(visit))


bp.register_error_handler(LinkError, survey.not_found)


def button_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Show the button that posts to `action`; once more, with what to do, when that has failed."""
    return _write(ctx, action, failed=failed, title=TITLE, text=WHAT, button=STOP)


def stopped_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Say that it is stopped, with the button that undoes it; once more when that has failed."""
    return _write(ctx, action, failed=failed, title=STOPPED, text=STOPPED_WHAT, button=KEEP, name=UNDO, is_done=True)


def kept_page(ctx: PageContext, *, action: str) -> Response:
    """Say that it is undone, with the button that stops it again."""
    return _write(ctx, action, title=KEPT, text=KEPT_WHAT, button=STOP, is_done=True)


def unknown_page(ctx: PageContext, *, is_undo: bool = False) -> Response:
    """Say that we no longer know who this survey was sent to."""
    return pages.write_message(
        _here(ctx), 410, title=UNKNOWN_UNDO if is_undo else UNKNOWN, text=UNKNOWN_WHY, needs_us=True
    )


def _write(ctx: PageContext, action: str, *, failed: bool = False, is_done: bool = False, **facts: Any) -> Response:
    return pages.write_page(
        "stop.html",
        ctx.language,
        503 if failed else 200,
        ctx.look,
        ctx=_here(ctx),
        brand=ctx.brand,
        query="",
        failed=FAILED if failed else None,
        is_done=is_done,
        action=action,
        **facts,
    )


def _is_undo() -> bool:
    """Read which button was pressed. A body that is no form of ours, or a large one, stops, as one click does.

    One that didn't come whole says neither: it is refused, so that an undo never stops.
    """
    try:
        read_body(request, LARGEST)
        fields = request.form
    except RequestEntityTooLarge:
        return False
    return UNDO in fields and _ONE_CLICK not in fields


def _has_stopped(visit: Visit) -> bool:
    """Say whether this customer has stopped the surveys, as far as it can be known now."""
    close = visit.record.close if visit.record else None
    if not close or not close.requester_id:
        return False
    try:
        return seams().stops.has(close.requester_id, close.person)
    except RecordsUnavailable:
        return False


def _here(ctx: PageContext) -> PageContext:
    """Return what this page shows: it is not about the answer, and needs no link to itself."""
    return replace(ctx.without_answer, stop_url=None)


def _action(visit: Visit) -> str:
    return url_for("stop.stop", token=visit.token, lang=asked_language())


def _button(visit: Visit) -> Response:
    return button_page(visit.page, action=_action(visit))


def _not_kept(visit: Visit, *, is_undo: bool, problem: str) -> Response:
    log.warning("stop.not_kept", survey_id=visit.link.survey_id, problem=problem)
    page = stopped_page if is_undo else button_page
    response = page(visit.page, action=_action(visit), failed=True)
    response.headers["Retry-After"] = "5"
    return response
