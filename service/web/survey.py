"""`/s/<token>`: the customer's page. GET never writes an answer; POST keeps one and shows the thanks."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import structlog
from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from config.surveys import RatingType
from service.surveys.intake import NotKept
from service.surveys.links import LinkError, Receipt
from service.surveys.model import AnswerState
from service.surveys.records import Saved
from service.web import pages, wording
from service.web.body import read_body, read_start
from service.web.forms import COMMENT, AnswerForm, FormError, load_answer_form
from service.web.language import choose_language
from service.web.mangled import asked
from service.web.pages import Closed
from service.web.seams import seams
from service.web.visit import Visit, open_unasked, open_visit

bp = Blueprint("survey", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST_FORM = 256 * 1024
"""2,000 characters can be 24,000 bytes of a urlencoded form. Ten times that comes back as a mistake to be mended."""

_RATINGS_COME_WITHIN = 1024
"""Of a form that is too large; they stand before the comment."""

_AGAIN_SECONDS = 5
"""When to try again what wasn't saved."""


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show the survey in the state it is in."""
    visit = open_visit(token)
    if visit.closed:
        return pages.closed_page(visit.page, visit.closed)
    answer = visit.record.answer if visit.record else None
    receipt = visit.receipt
    if answer is None and receipt and "change" not in request.args:
        return pages.saved_page(
            visit.page, receipt.scores, has_comment=receipt.has_comment, change_url=visit.change_url
        )
    if answer is None:
        chosen = _preselected(visit)
        return pages.form_page(visit.page, chosen=chosen, preselected=bool(chosen))
    if answer.state is not AnswerState.HELD:
        return pages.recorded_page(visit.page, not_changed=False)
    if "change" in request.args:
        return pages.change_page(visit.page, answer.answer.scores, has_comment=answer.has_comment)
    return pages.saved_page(
        visit.page,
        answer.answer.scores,
        has_comment=answer.has_comment,
        change_url=visit.change_url,
    )


@bp.post("/<token>")
def send(token: str) -> ResponseReturnValue:
    """Keep the answer, then send the browser to the thanks."""
    visit = open_visit(token)
    if visit.closed:
        return pages.closed_page(visit.page, visit.closed)
    wait_seconds = seams().posts.wait_seconds(visit.link.survey_id)
    try:
        form = load_answer_form(_form(), visit.page.ratings)
    except RequestEntityTooLarge:
        too_long = {COMMENT: wording.COMMENT_TOO_LONG}
        return pages.form_page(visit.page, chosen=_begun(visit), errors=too_long, status=413)
    except FormError as error:
        if not wait_seconds:
            typed = error.typed
            return pages.form_page(visit.page, chosen=typed.scores, comment=typed.comment, errors=error.errors)
        form = error.typed
    if wait_seconds:
        log.warning("answer.too_many", survey_id=visit.link.survey_id)
        return _failed(visit, form, 429, wait_seconds)
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        # Only a page of our own sends this form; someone else's must not answer for a customer.
        return _failed(visit, form, 403)
    return _keep(visit, form)


def send_failed(token: str) -> Response:
    """Show a form that something unforeseen has happened to, filled in: it asks nobody, so that it can't fail as well.

    Raises LinkError.
    """
    visit = open_unasked(token)
    try:
        form = load_answer_form(_form(), visit.page.ratings)
    except FormError as error:
        form = error.typed
    except HTTPException:
        form = AnswerForm({}, "", is_suspect=False)
    return _failed(visit, form, 500)


def _keep(visit: Visit, form: AnswerForm) -> ResponseReturnValue:
    with structlog.contextvars.bound_contextvars(conversation_id=visit.link.conversation_id):
        try:
            saved = seams().intake.take_answer(
                visit.link,
                visit.terms,
                form.scores,
                form.comment,
                language=visit.language.code,
                is_suspect=form.is_suspect or (visit.was_just_sent and not form.comment),
            )
        except NotKept as error:
            log.warning("answer.not_kept", survey_id=visit.link.survey_id, problem=str(error))
            return _failed(visit, form, 503)
    if saved is Saved.CLOSED:
        return pages.closed_page(visit.page, Closed.ERASED)
    if saved is Saved.NOT_CHANGED:
        return _too_late(visit, form)
    if onward := visit.onward(form.scores):
        return redirect(onward, 303)
    if saved is Saved.SPOOLED:
        receipt = Receipt(visit.link.survey_id, form.scores, bool(form.comment))
        signed = seams().links.sign_receipt(receipt)
        return redirect(visit.url(receipt=signed), 303)
    return redirect(visit.url(), 303)


def _too_late(visit: Visit, form: AnswerForm) -> Response:
    """Tell of an answer that came after the hold: no thanks for a comment that is lost."""
    if not form.comment:
        return pages.recorded_page(visit.page, not_changed=True)
    # It may have been recorded between our look at it and our try to change it.
    latest = open_visit(visit.token)
    return pages.late_page(latest.page, form.comment, is_rating_recorded=latest.scores == form.scores)


def _failed(visit: Visit, form: AnswerForm, status: int, wait_seconds: int = _AGAIN_SECONDS) -> Response:
    response = pages.form_page(visit.page, chosen=form.scores, comment=form.comment, failed=True, status=status)
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _form() -> MultiDict[str, str]:
    read_body(request, LARGEST_FORM)
    return request.form if request.mimetype == "application/x-www-form-urlencoded" else MultiDict()


def _begun(visit: Visit) -> Mapping[RatingType, int]:
    """Read the scores of a form that is too large to be read. What may be cut in two isn't taken for a whole."""
    begun, _, _ = read_start(request, _RATINGS_COME_WITHIN).rpartition(b"&")
    fields = MultiDict(parse_qsl(begun.decode(errors="replace")))
    try:
        return load_answer_form(fields, visit.page.ratings).scores
    except FormError as error:
        return error.typed.scores


def _preselected(visit: Visit) -> Mapping[RatingType, int]:
    """Read the score that a link carries. It chooses, it doesn't save: mail scanners open every link."""
    rating = visit.link.offers[0].rating
    score = next((score for score in rating.scores if str(score) == asked("r")), None)
    return {} if score is None else {rating: score}


@bp.errorhandler(LinkError)
def not_found(_error: LinkError | None = None) -> Response:
    """Answer a bad token, and every path that leads nowhere."""
    settings = seams().settings
    spoken = choose_language("", settings.default_language)
    return pages.not_found_page(spoken, settings.brand_name, settings.support_url, settings.look)
