"""`/s/<token>`: the customer's page. GET shows it and never saves anything; POST saves an answer."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import structlog
from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestTimeout

from service.intake.intake import NotKept
from service.records.answer_transitions import GivenAnswer
from service.records.outcomes import Outcome
from service.records.redis import RecordsUnavailable
from service.surveys.language_codes import find_language
from service.surveys.links import LinkError, Receipt
from service.surveys.ratings import RatingType
from service.web import failed_requests, pages
from service.web.forms import CHANGE, AnswerForm
from service.web.language import choose_language, requested_language
from service.web.mangled_links import query_value
from service.web.page_context import NOTHING_TYPED, Closed, Unsaved
from service.web.posted_form import PostedForm, read_form
from service.web.services import services
from service.web.survey_context import SurveyContext, context_of_link, load_context, query_of

bp = Blueprint("survey", __name__, url_prefix="/s")
log = structlog.get_logger()

_RETRY_AFTER_SECONDS = 5


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show the survey in its state. A score in the link is only chosen, not saved: mail scanners open every link."""
    context = load_context(token)
    if context.closed:
        return pages.closed_page(context.page, context.closed)
    chosen = _score_of_link(context)
    if not context.scores:
        # While Redis is down the score may be saved already, so the page doesn't say that it isn't.
        return pages.form_page(context.page, chosen=chosen, preselected=bool(chosen) and not context.problem)
    changed = {rating: score for rating, score in chosen.items() if context.scores.get(rating) != score}
    redirect_url = context.redirect_url(context.scores) if "onward" in request.args else None
    if context.is_final and changed:
        return pages.late_page(context.page, context.scores, is_changed=True)
    if context.is_final:
        return pages.recorded_page(context.page, context.scores, redirect_url)
    if changed or "change" in request.args:
        return _change(context, Unsaved(changed))
    return _thanks(context, onward=redirect_url, is_comment_removed="forgotten" in request.args)


@bp.post("/<token>")
def send(token: str) -> ResponseReturnValue:
    """Save the answer and redirect to the thanks."""
    context = load_context(token)
    posted = read_form(context)
    form = posted.form
    if form.is_addition:
        # The page may have been open for long. An addition must not restore the scores of that time.
        form = replace(form, scores={**form.scores, **context.scores})
        posted = replace(posted, form=form)
    context = replace(context, chosen_language=find_language(form.language or "") or context.chosen_language)
    if context.closed:
        return pages.closed_page(context.page, context.closed, form.comment if context.closed is Closed.EXPIRED else "")
    wait_seconds = services().link_guard.count_post(context.link.survey_id)
    if wait_seconds:
        services().rejections.note("answer.rate_limited", "over 300 posts a minute", survey_id=context.link.survey_id)
        return _failed(context, form, HTTPStatus.TOO_MANY_REQUESTS, wait_seconds)
    # A form on another site must not answer, or extend the time, in the customer's name.
    is_own_form = request.headers.get("Sec-Fetch-Site") != "cross-site"
    if form.more_time:
        return _extend(context, form) if is_own_form else _show_again(context, PostedForm(form))
    if posted.errors:
        return _show_again(_extend_deadline(context) if is_own_form else context, posted)
    if not is_own_form:
        return _failed(context, form, HTTPStatus.FORBIDDEN)
    if form.language is not None:
        return _show_again(context, PostedForm(form))
    return _save(context, form)


def _save(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    is_suspect = context.is_suspect(form)
    with structlog.contextvars.bound_contextvars(conversation_id=context.link.conversation_id):
        try:
            comment = None if form.removes_comment else form.comment
            answer = GivenAnswer(
                context.link, context.terms, form.scores, comment, context.language.code, is_suspect=is_suspect
            )
            saved = services().intake.take_answer(answer)
        except NotKept as error:
            log.warning("answer.not_saved", survey_id=context.link.survey_id, problem=str(error))
            return _failed(context, form, HTTPStatus.SERVICE_UNAVAILABLE)
    if saved is Outcome.CLOSED:
        return pages.closed_page(context.page, Closed.ERASED)
    if saved is Outcome.NOT_CHANGED:
        return _too_late(context, form)
    if saved is Outcome.IGNORED:
        return _ignored(context, form)
    has_comment = not form.removes_comment and (bool(form.comment) or context.has_comment)
    receipt = None
    if saved is Outcome.SPOOLED or is_suspect:
        # The record won't show this answer yet, so the URL of the thanks carries a signed copy.
        receipt = services().links.sign_receipt(Receipt(context.link.survey_id, form.scores, has_comment))
    if form.removes_comment and form.comment:
        # The button removes the saved comment. Text typed beside it is shown again, not lost.
        page = replace(context.page, action=query_of(context.url(receipt=receipt)))
        typed = Unsaved(comment=form.comment)
        return pages.saved_page(page, form.scores, has_comment=False, is_comment_removed=True, typed=typed)
    # Only a first answer leads to a thank-you page: before a change or an addition the customer has been there.
    is_first = not form.is_addition and "change" not in request.args
    # Always to a page of ours: the policy `form-action 'self'` forbids a redirect to another host.
    url = context.url(
        receipt=receipt,
        onward=1 if is_first and context.redirect_url(form.scores) else None,
        forgotten=1 if form.removes_comment else None,
    )
    return redirect(url, HTTPStatus.SEE_OTHER)


def _ignored(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    """Respond to a suspect form after a customer's answer, which stays: show it.

    Differences are shown as unsaved, since a browser may have filled in the honeypot for a person.
    """
    if form.comment or form.scores != context.scores:
        return _change(context, Unsaved(form.scores, form.comment))
    return redirect(context.own_url, HTTPStatus.SEE_OTHER)


def _extend(context: SurveyContext, form: AnswerForm) -> ResponseReturnValue:
    """Extend the time to change the answer, then show the page named by the button, with the typed text."""
    context = _extend_deadline(context)
    if form.comment or form.scores != context.scores:
        return _show_again(context, PostedForm(form))
    return redirect(context.change_url if form.more_time == CHANGE else context.own_url, HTTPStatus.SEE_OTHER)


def _extend_deadline(context: SurveyContext) -> SurveyContext:
    """Extend the time to change the answer, if there is any left. Return the context as it is afterwards."""
    if context.deadline is None:
        return context
    try:
        services().records.extend(context.link.survey_id, context.terms)
    except RecordsUnavailable as error:
        log.warning("answer.not_extended", survey_id=context.link.survey_id, problem=str(error))
        return context
    return replace(load_context(context.token), chosen_language=context.chosen_language)


def _show_again(context: SurveyContext, posted: PostedForm) -> Response:
    """Show the page of a posted form again, with the typed text and its errors."""
    form = posted.form
    if not context.scores:
        return pages.form_page(
            context.page,
            chosen=form.scores,
            comment=form.comment,
            preselected=not context.problem,
            errors=posted.errors,
            status=posted.status,
        )
    if context.is_final:
        return _too_late(context, form)
    typed = Unsaved(form.scores, form.comment, posted.errors, posted.status)
    return _change(context, typed) if _is_of_change_page(context, posted) else _thanks(context, typed)


def _is_of_change_page(context: SurveyContext, posted: PostedForm) -> bool:
    """Return whether a form belongs to the change page, and not to the thanks."""
    form = posted.form
    if form.more_time == CHANGE:
        return True
    if posted.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and form.scores == context.scores:
        # Only the scores of a too large form are read, so its button is unknown.
        return False
    keeps_scores = form.language is not None and context.scores.items() <= form.scores.items()
    return "change" in request.args or not (form.is_addition or form.more_time or keeps_scores)


def _thanks(context: SurveyContext, typed: Unsaved = NOTHING_TYPED, **facts: Any) -> Response:
    facts = {"scores": context.scores, "has_comment": context.has_comment, **facts}
    return pages.saved_page(context.page, typed=typed, **facts)


def _change(context: SurveyContext, typed: Unsaved) -> Response:
    page = replace(context.page, action=query_of(context.change_url))
    return pages.change_page(page, context.scores, typed, has_comment=context.has_comment)


def _too_late(context: SurveyContext, form: AnswerForm) -> Response:
    """Respond to an answer after its deadline. Don't thank for a lost comment."""
    # The saved answer may have become final since the record was loaded, so it is loaded again.
    latest = replace(load_context(context.token), chosen_language=context.chosen_language)
    is_changed = any(latest.scores.get(rating) != score for rating, score in form.scores.items())
    if not (is_changed or form.comment or form.removes_comment):
        return pages.recorded_page(latest.page, latest.scores)
    return pages.late_page(
        latest.page,
        latest.scores,
        is_changed=is_changed,
        comment=form.comment,
        removes_comment=form.removes_comment,
    )


def _failed(
    context: SurveyContext, form: AnswerForm, status: int, wait_seconds: int = _RETRY_AFTER_SECONDS
) -> Response:
    response = pages.form_page(
        context.page,
        chosen=form.scores,
        comment=form.comment,
        failed=True,
        status=status,
        keeps_comment=context.has_comment or form.removes_comment,
    )
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _score_of_link(context: SurveyContext) -> Mapping[RatingType, int]:
    """Return the score in the query of a link, as e-mails have it. It is of the first rating type."""
    rating = context.link.offers[0].rating
    chosen = query_value("r")
    score = next((score for score in rating.scores if str(score) == chosen), None)
    return {} if score is None else {rating: score}


def send_failed(token: str) -> Response:
    """Show a form again after an unexpected error. It calls neither Redis nor Dixa, so it can't fail the same way.

    Raises LinkError.
    """
    context = context_of_link(token)
    try:
        form = read_form(context).form
    except HTTPException:
        form = AnswerForm({}, "", is_suspect=False)
    return _failed(context, form, HTTPStatus.INTERNAL_SERVER_ERROR)


@bp.errorhandler(RequestTimeout)
def _too_slow(_error: RequestTimeout) -> Response:
    """Show an empty form after a timeout of the body."""
    context = context_of_link((request.view_args or {})["token"])
    return _failed(context, AnswerForm({}, "", is_suspect=False), HTTPStatus.REQUEST_TIMEOUT)


@bp.errorhandler(LinkError)
def link_not_found(_error: LinkError | None = None) -> Response:
    """Respond to an invalid token, which counts against its address."""
    if failed_requests.is_over_limit():
        services().rejections.note("link.rate_limited", failed_requests.PROBLEM)
        return failed_requests.refuse(not_found())
    return not_found()


def not_found() -> Response:
    """Respond to an unknown path or link."""
    settings = services().settings
    spoken = choose_language(requested_language(), "", settings.default_language)
    return pages.not_found_page(spoken, settings.brand_name, settings.support_url, settings.theme)
