"""`/s/<token>`: the customer's page. GET never writes an answer; POST keeps one and shows the thanks."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import structlog
from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, RequestTimeout

from service.intake.intake import NotKept
from service.records.transitions import Saved
from service.surveys.language_codes import find_language
from service.surveys.links import LinkError, Receipt
from service.surveys.ratings import RatingType
from service.web import pages, wording
from service.web.forms import CHANGE, COMMENT, AnswerForm, FormError, FormErrors, field_names, load_answer_form
from service.web.language import choose_language
from service.web.mangled_links import query_value
from service.web.page_context import NOTHING, Closed, Unsaved
from service.web.request_body import read_body, read_start
from service.web.services import services
from service.web.survey_context import SurveyContext, context_of_link, load_context, without_path

bp = Blueprint("survey", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST_FORM = 256 * 1024
"""2,000 characters can be 24,000 bytes of a urlencoded form. Ten times that comes back as a mistake to be mended."""

_RATINGS_COME_WITHIN = 1024
"""Of a form that is too large; they stand before the comment."""

_MOST_FIELDS = 50
"""Several times what our own forms have. Each costs, whatever comes of the form."""

_AGAIN_SECONDS = 5
"""When to try again what wasn't saved."""


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show the survey in the state it is in. A score in the link chooses and never saves: scanners open every link."""
    context = load_context(token)
    if context.closed:
        return pages.closed_page(context.page, context.closed)
    if not context.scores:
        chosen = _tapped(context)
        # While the records can't be asked nobody knows whether it is saved already, so nothing is said of that.
        return pages.form_page(context.page, chosen=chosen, preselected=bool(chosen) and not context.problem)
    tapped = {rating: score for rating, score in _tapped(context).items() if context.scores.get(rating) != score}
    onward = context.onward(context.scores) if "onward" in request.args else None
    if context.is_final and tapped:
        return pages.late_page(context.page, context.scores, is_changed=True)
    if context.is_final:
        return pages.recorded_page(context.page, context.scores, onward)
    if tapped or "change" in request.args:
        return _change(context, Unsaved(tapped))
    return _thanks(context, onward=onward, is_comment_removed="forgotten" in request.args)


@bp.post("/<token>")
def send(token: str) -> ResponseReturnValue:
    """Keep the answer, then send the browser to the thanks: to our own, since no form may lead to a foreign host."""
    context = load_context(token)
    form, errors, status = _load(context)
    if form.adds:
        # The page may be an old one: what it adds doesn't bring back the scores of its day.
        form = replace(form, scores={**form.scores, **context.scores})
    context = replace(context, asked=find_language(form.lang or "") or context.asked)
    if context.closed:
        return pages.closed_page(context.page, context.closed, form.comment if context.closed is Closed.EXPIRED else "")
    wait_seconds = services().posts.wait_seconds(context.link.survey_id)
    # Only a page of our own sends this form; someone else's must not answer for a customer.
    is_ours = request.headers.get("Sec-Fetch-Site") != "cross-site"
    if wait_seconds:
        services().rejections.note("answer.too_many", "over 100 posts a minute", survey_id=context.link.survey_id)
        return _failed(context, form, 429, wait_seconds)
    if form.more:
        return _give_time(context, form) if is_ours else _show_again(context, form)
    if errors:
        # Who makes a mistake has begun, and gets the time to mend it.
        return _show_again(context.with_more_time() if is_ours else context, form, errors, status)
    if not is_ours:
        return _failed(context, form, 403)
    return _keep(context, form) if form.lang is None else _show_again(context, form)


def send_failed(token: str) -> Response:
    """Show a form that something unforeseen has happened to, filled in: it asks nobody, so that it can't fail as well.

    Raises LinkError.
    """
    context = context_of_link(token)
    try:
        form, _, _ = _load(context)
    except HTTPException:
        form = AnswerForm({}, "", is_suspect=False)
    return _failed(context, form, 500)


@bp.errorhandler(RequestTimeout)
def _too_slow(_error: RequestTimeout) -> Response:
    """Show a form that took too long to arrive, as far as the link tells it."""
    context = context_of_link((request.view_args or {})["token"])
    return _failed(context, AnswerForm({}, "", is_suspect=False), 408)


def _keep(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    is_suspect = form.is_suspect or (context.was_just_sent and not form.comment)
    with structlog.contextvars.bound_contextvars(conversation_id=context.link.conversation_id):
        try:
            saved = services().intake.take_answer(
                context.link,
                context.terms,
                form.scores,
                None if form.forgets else form.comment,
                language=context.language.code,
                is_suspect=is_suspect,
            )
        except NotKept as error:
            log.warning("answer.not_kept", survey_id=context.link.survey_id, problem=str(error))
            return _failed(context, form, 503)
    if saved is Saved.CLOSED:
        return pages.closed_page(context.page, Closed.ERASED)
    if saved is Saved.NOT_CHANGED:
        return _too_late(context, form)
    if saved is Saved.IGNORED:
        return _show_ignored(context, form)
    has_comment = not form.forgets and (bool(form.comment) or context.has_comment)
    receipt = None
    if saved is Saved.SPOOLED or is_suspect:
        receipt = services().links.sign_receipt(Receipt(context.link.survey_id, form.scores, has_comment))
    if form.forgets and form.comment:
        # What was typed beside the button isn't what it removes: it is given back, to be added or not.
        page = replace(context.page, action=without_path(context.url(receipt=receipt)))
        typed = Unsaved(comment=form.comment)
        return pages.saved_page(page, form.scores, has_comment=False, is_comment_removed=True, typed=typed)
    # Whoever changes an answer or adds to it has been led on already.
    leads_on = not form.adds and "change" not in request.args and context.onward(form.scores)
    url = context.url(
        receipt=receipt,
        onward=1 if leads_on else None,
        forgotten=1 if form.forgets else None,
    )
    return redirect(url, 303)


def _show_ignored(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    """Answer a suspect form where a customer has answered already: the thanks are for that answer.

    What is in the form isn't saved, and is shown as that: a browser may have filled in the hidden field for a person.
    """
    if form.comment or form.scores != context.scores:
        return _change(context, Unsaved(form.scores, form.comment))
    return redirect(context.own_url, 303)


def _give_time(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    """Give more time to change an answer, and go on where that was asked. What was typed meanwhile is in the form."""
    context = context.with_more_time()
    if form.comment or form.scores != context.scores:
        return _show_again(context, form)
    return redirect(context.change_url if form.more == CHANGE else context.own_url, 303)


def _show_again(
    context: SurveyContext, form: AnswerForm, errors: FormErrors | None = None, status: int = 200
) -> Response:
    """Show the page that a form came from, or that it asked for, with what was typed and what was wrong with it."""
    if not context.scores:
        is_unsaved = not context.problem
        return pages.form_page(
            context.page, chosen=form.scores, comment=form.comment, preselected=is_unsaved, errors=errors, status=status
        )
    if context.is_final:
        return _too_late(context, form)
    typed = Unsaved(form.scores, form.comment, errors or {}, status)
    is_thanks = form.adds or form.more or (form.lang is not None and context.scores.items() <= form.scores.items())
    wants_change = "change" in request.args or not is_thanks
    # A form that is too large is read no further than its scores, so it doesn't tell which button sent it.
    is_unread = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and form.scores == context.scores
    if form.more == CHANGE or (wants_change and not is_unread):
        return _change(context, typed)
    return _thanks(context, typed)


def _thanks(context: SurveyContext, typed: Unsaved = NOTHING, **given: Any) -> Response:
    facts = {"scores": context.scores, "has_comment": context.has_comment, **given}
    return pages.saved_page(context.page, typed=typed, **facts)


def _change(context: SurveyContext, typed: Unsaved) -> Response:
    page = replace(context.page, action=without_path(context.change_url))
    return pages.change_page(page, context.scores, typed, has_comment=context.has_comment)


def _too_late(context: SurveyContext, form: AnswerForm) -> Response:
    """Tell of an answer that came after the hold: no thanks for a comment that is lost."""
    # It may have been recorded between our look at it and our try to change it.
    latest = replace(load_context(context.token), asked=context.asked)
    is_changed = any(latest.scores.get(rating) != score for rating, score in form.scores.items())
    if not (is_changed or form.comment or form.forgets):
        return pages.recorded_page(latest.page, latest.scores)
    return pages.late_page(
        latest.page, latest.scores, is_changed=is_changed, comment=form.comment, forgets=form.forgets
    )


def _failed(context: SurveyContext, form: AnswerForm, status: int, wait_seconds: int = _AGAIN_SECONDS) -> Response:
    response = pages.form_page(
        context.page,
        chosen=form.scores,
        comment=form.comment,
        failed=True,
        status=status,
        keeps_comment=context.has_comment or form.forgets,
    )
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _load(context: SurveyContext) -> tuple[AnswerForm, FormErrors, int]:
    """Read the form: what was typed, what is wrong with it, and the status to say so with."""
    try:
        form = load_answer_form(_form(), context.page.ratings)
    except RequestEntityTooLarge:
        return AnswerForm(_begun(context), "", is_suspect=False), {COMMENT: wording.COMMENT_TOO_LONG}, 413
    except FormError as error:
        form, errors = error.typed, error.errors
        if form.lang is not None:
            # Nothing is saved now, so nothing has to be right yet.
            return form, {}, 200
        if form.forgets and context.scores:
            # Whatever else is in the form, a comment that is unwanted goes.
            return replace(form, scores={**context.scores, **form.scores}), {}, 200
        return form, errors, 422
    return form, _find_nothing_added(context, form), 422


def _find_nothing_added(context: SurveyContext, form: AnswerForm) -> FormErrors:
    """Say what to write first to whoever adds nothing to an answer."""
    if not form.adds or form.comment or form.scores != context.scores:
        return {}
    if not context.has_comment:
        return {COMMENT: wording.NOTHING_TO_ADD}
    names = field_names(context.page.ratings)
    return {name: wording.NOTHING_CHOSEN for rating, name in names.items() if rating not in form.scores}


def _form() -> MultiDict[str, str]:
    raw = read_body(request, LARGEST_FORM)
    if request.mimetype != "application/x-www-form-urlencoded":
        return MultiDict()
    return _parse(raw)


def _parse(raw: bytes) -> MultiDict[str, str]:
    """Read a form's fields. What isn't UTF-8 is replaced, at once: Werkzeug does that byte by byte."""
    try:
        return MultiDict(
            parse_qsl(
                raw.decode(errors="replace"), keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS
            )
        )
    except ValueError:
        raise BadRequest("The form has too many fields.") from None


def _begun(context: SurveyContext) -> Mapping[RatingType, int]:
    """Read the scores of a form that is too large to be read. What may be cut in two isn't taken for a whole."""
    begun, _, _ = read_start(request, _RATINGS_COME_WITHIN).rpartition(b"&")
    try:
        return load_answer_form(_parse(begun), context.page.ratings).scores
    except FormError as error:
        return error.typed.scores


def _tapped(context: SurveyContext) -> Mapping[RatingType, int]:
    """Read the score that a link carries."""
    rating = context.link.offers[0].rating
    score = next((score for score in rating.scores if str(score) == query_value("r")), None)
    return {} if score is None else {rating: score}


@bp.errorhandler(LinkError)
def not_found(_error: LinkError | None = None) -> Response:
    """Answer a bad token, and every path that leads nowhere."""
    settings = services().settings
    spoken = choose_language("", settings.default_language)
    return pages.not_found_page(spoken, settings.brand_name, settings.support_url, settings.look)
