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
from service.web.language import requested_language
from service.web.page_context import PageContext
from service.web.request_body import read_body
from service.web.services import services
from service.web.survey_context import SurveyContext, load_context

bp = Blueprint("opt_out", __name__, url_prefix="/s")
log = structlog.get_logger()

MAX_BODY_BYTES = 4 * 1024
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
    context = load_context(token)
    return opted_out_page(context.page, action=_action(context)) if _has_stopped(context) else _button(context)


@bp.post("/<token>/stop")
def send(token: str) -> ResponseReturnValue:
    """Stop asking whoever this survey was for, or ask them again."""
    context = load_context(token)
    is_undo = _is_undo()
    try:
        outcome = services().intake.take_stop(context.link, is_undo=is_undo)
    except NotKept as error:
        return _not_kept(context, is_undo=is_undo, problem=str(error))
    if outcome in {Stopped.UNKNOWN, Stopped.STOPPED_OTHERWISE}:
        return unknown_page(context.page, is_undo=is_undo)
    page = opted_in_page if is_undo else opted_out_page
    return page(context.page, action=_action(context))


bp.register_error_handler(LinkError, survey.not_found)


def opt_out_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Show the button that posts to `action`; once more, with what to do, when that has failed."""
    return _write(ctx, action, failed=failed, title=TITLE, text=WHAT, button=STOP)


def opted_out_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Say that it is stopped, with the button that undoes it; once more when that has failed."""
    return _write(ctx, action, failed=failed, title=STOPPED, text=STOPPED_WHAT, button=KEEP, name=UNDO, is_done=True)


def opted_in_page(ctx: PageContext, *, action: str) -> Response:
    """Say that it is undone, with the button that stops it again."""
    return _write(ctx, action, title=KEPT, text=KEPT_WHAT, button=STOP, is_done=True)


def unknown_page(ctx: PageContext, *, is_undo: bool = False) -> Response:
    """Say that we no longer know who this survey was sent to."""
    return pages.render_message(
        _here(ctx), 410, title=UNKNOWN_UNDO if is_undo else UNKNOWN, text=UNKNOWN_WHY, needs_us=True
    )


def _write(ctx: PageContext, action: str, *, failed: bool = False, is_done: bool = False, **facts: Any) -> Response:
    return pages.render_page(
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
        read_body(request, MAX_BODY_BYTES)
        fields = request.form
    except RequestEntityTooLarge:
        return False
    return UNDO in fields and _ONE_CLICK not in fields


def _has_stopped(context: SurveyContext) -> bool:
    """Say whether this customer has stopped the surveys, as far as it can be known now."""
    close = context.record.close if context.record else None
    if not close or not close.requester_id:
        return False
    try:
        return services().stops.has(close.requester_id, close.person)
    except RecordsUnavailable:
        return False


def _here(ctx: PageContext) -> PageContext:
    """Return what this page shows: it is not about the answer, and needs no link to itself."""
    return replace(ctx.without_answer, opt_out_url=None)


def _action(context: SurveyContext) -> str:
    return url_for("opt_out.send", token=context.token, lang=requested_language())


def _button(context: SurveyContext) -> Response:
    return opt_out_page(context.page, action=_action(context))


def _not_kept(context: SurveyContext, *, is_undo: bool, problem: str) -> Response:
    log.warning("opt_out.not_saved", survey_id=context.link.survey_id, problem=problem)
    page = opted_out_page if is_undo else opt_out_page
    response = page(context.page, action=_action(context), failed=True)
    response.headers["Retry-After"] = "5"
    return response
