"""`/s/<token>/stop`: opts a customer out of surveys, and in again. GET only shows a button: scanners open every link.

POST needs nothing but the token, since RFC 8058's one-click unsubscribe comes from a mail provider's server. Only our
button `undo` opts in; any other body opts out. While Redis is down both are saved in the spool.
"""

from dataclasses import replace
from typing import Any

import structlog
from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from service.intake.intake import NotKept, OptOutResult
from service.records.redis import RecordsUnavailable
from service.surveys.links import LinkError
from service.texts.catalog import N_
from service.web import pages, survey
from service.web.language import requested_language
from service.web.page_context import PageContext
from service.web.page_rendering import render_page
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
    """Show whether the customer has opted out, and the opposite button."""
    context = load_context(token)
    return opted_out_page(context.page, action=_action(context)) if _has_opted_out(context) else _button(context)


@bp.post("/<token>/stop")
def send(token: str) -> ResponseReturnValue:
    """Opt the customer out or in."""
    context = load_context(token)
    is_opt_in = _is_opt_in()
    try:
        outcome = services().intake.take_opt_out(context.link, is_opt_in=is_opt_in)
    except NotKept as error:
        return _not_saved(context, is_opt_in=is_opt_in, problem=str(error))
    if outcome in {OptOutResult.UNKNOWN, OptOutResult.OTHER_REMAINS}:
        return unknown_page(context.page, is_opt_in=is_opt_in)
    page = opted_in_page if is_opt_in else opted_out_page
    return page(context.page, action=_action(context))


bp.register_error_handler(LinkError, survey.link_not_found)


def opt_out_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Render the button to opt out, which posts to `action`. With `failed`, say so."""
    return _render(ctx, action, failed=failed, title=TITLE, text=WHAT, button=STOP)


def opted_out_page(ctx: PageContext, *, action: str, failed: bool = False) -> Response:
    """Render the confirmation of an opt-out and the button to opt in. With `failed`, say that opting in failed."""
    return _render(ctx, action, failed=failed, title=STOPPED, text=STOPPED_WHAT, button=KEEP, name=UNDO, is_done=True)


def opted_in_page(ctx: PageContext, *, action: str) -> Response:
    """Render the confirmation of an opt-in and the button to opt out."""
    return _render(ctx, action, title=KEPT, text=KEPT_WHAT, button=STOP, is_done=True)


def unknown_page(ctx: PageContext, *, is_opt_in: bool = False) -> Response:
    """Render the page for a lost record: it had the customer's identity."""
    return pages.render_message(
        _page_of_opt_out(ctx), 410, title=UNKNOWN_UNDO if is_opt_in else UNKNOWN, text=UNKNOWN_WHY, needs_us=True
    )


def _render(ctx: PageContext, action: str, *, failed: bool = False, is_done: bool = False, **facts: Any) -> Response:
    return render_page(
        "opt_out.html",
        ctx.language,
        503 if failed else 200,
        ctx.theme,
        ctx=_page_of_opt_out(ctx),
        brand=ctx.brand,
        query="",
        failed=FAILED if failed else None,
        is_done=is_done,
        action=action,
        **facts,
    )


def _is_opt_in() -> bool:
    """Return whether the button `undo` was pressed. Any other body opts out, even an unknown or a large one.

    An incomplete body is refused with 400: a truncated undo must not opt out.
    """
    try:
        read_body(request, MAX_BODY_BYTES)
        fields = request.form
    except RequestEntityTooLarge:
        return False
    return UNDO in fields and _ONE_CLICK not in fields


def _has_opted_out(context: SurveyContext) -> bool:
    """Return whether the customer has opted out. False if the record is gone or Redis is down."""
    close = context.record.close if context.record else None
    if not close or not close.requester_id:
        return False
    try:
        return services().opt_outs.has(close.requester_id, close.person)
    except RecordsUnavailable:
        return False


def _page_of_opt_out(ctx: PageContext) -> PageContext:
    """Return the facts of the opt-out page: without the answer, and without a link to itself."""
    return replace(ctx.without_answer, opt_out_url=None)


def _action(context: SurveyContext) -> str:
    return url_for("opt_out.send", token=context.token, lang=requested_language())


def _button(context: SurveyContext) -> Response:
    return opt_out_page(context.page, action=_action(context))


def _not_saved(context: SurveyContext, *, is_opt_in: bool, problem: str) -> Response:
    log.warning("opt_out.not_saved", survey_id=context.link.survey_id, problem=problem)
    page = opted_out_page if is_opt_in else opt_out_page
    response = page(context.page, action=_action(context), failed=True)
    response.headers["Retry-After"] = "5"
    return response
