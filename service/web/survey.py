"""`/s/<token>`: the customer's page. GET never writes an answer; POST keeps one and shows the thanks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from config.surveys import RatingType, Survey
from service.surveys.intake import NotKept
from service.surveys.links import Link, LinkError, Receipt
from service.surveys.model import AnswerState, OfferState, Reason, Record
from service.surveys.records import RecordsUnavailable, Saved
from service.web import pages, wording
from service.web.body import read_body
from service.web.forms import AnswerForm, FormError, load_answer_form
from service.web.pages import Closed, PageContext
from service.web.seams import seams

bp = Blueprint("survey", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST_FORM = 32 * 1024
"""2,000 characters can be 24,000 bytes of a urlencoded form."""
LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class _Visit:
    """A valid link and what its record says. No record: it is lost, or Redis can't be asked; the link is enough."""

    token: str
    link: Link
    record: Record | None
    terms: Survey

    @property
    def page(self) -> PageContext:
        settings = seams().settings
        close = self.record.close if self.record else None
        return PageContext(
            brand=settings.brand_name,
            support_url=settings.support_url,
            privacy_url=settings.privacy_url,
            ratings=tuple(offer.rating for offer in self.link.offers),
            channel=close.channel if close else None,
            closed_on=close.closed_at.date() if close else None,
            action=url_for("survey.show", token=self.token),
        )

    @property
    def change_url(self) -> str:
        """Where the answer can be changed."""
        return url_for("survey.show", token=self.token, change=1)

    @property
    def receipt(self) -> Receipt | None:
        """What the thanks of an answer in the spool say; the records don't know of it yet."""
        receipt = seams().links.read_receipt(request.args.get("receipt", ""))
        return receipt if receipt and receipt.survey_id == self.link.survey_id else None

    @property
    def closed(self) -> Closed | None:
        """Why no answer is taken any more, if so."""
        offer = self.record.offer if self.record else None
        if offer and offer.state is OfferState.CANCELLED:
            return Closed.ERASED if offer.reason == Reason.ERASED else Closed.CANCELLED
        has_answer = self.record is not None and self.record.answer is not None
        issued_at = self.link.issued_at
        if not has_answer and issued_at and datetime.now(UTC) > issued_at + self.terms.expires:
            return Closed.EXPIRED
        return None


@bp.get("/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show the survey in the state it is in."""
    visit = _visit(token)
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
    visit = _visit(token)
    if visit.closed:
        return pages.closed_page(visit.page, visit.closed)
    try:
        form = load_answer_form(_form(), visit.page.ratings)
    except FormError as error:
        return pages.form_page(visit.page, chosen=error.typed.scores, comment=error.typed.comment, errors=error.errors)
    except RequestEntityTooLarge:
        return pages.form_page(visit.page, errors={"comment": wording.COMMENT_TOO_LONG}, status=413)
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        # Only a page of our own sends this form; someone else's must not answer for a customer.
        return _failed(visit, form, 403)
    return _keep(visit, form)


def _keep(visit: _Visit, form: AnswerForm) -> ResponseReturnValue:
    with structlog.contextvars.bound_contextvars(conversation_id=visit.link.conversation_id):
        try:
            saved = seams().intake.take_answer(
                visit.link, visit.terms, form.scores, form.comment, language=LANGUAGE, is_suspect=form.is_suspect
            )
        except NotKept as error:
            log.warning("answer.not_kept", survey_id=visit.link.survey_id, problem=str(error))
            return _failed(visit, form, 503)
    if saved is Saved.CLOSED:
        return pages.closed_page(visit.page, Closed.CANCELLED)
    if saved is Saved.NOT_CHANGED:
        return pages.recorded_page(visit.page, not_changed=True)
    if saved is Saved.SPOOLED:
        receipt = Receipt(visit.link.survey_id, form.scores, bool(form.comment))
        signed = seams().links.sign_receipt(receipt)
        return redirect(url_for("survey.show", token=visit.token, receipt=signed), 303)
    return redirect(url_for("survey.show", token=visit.token), 303)


def _failed(visit: _Visit, form: AnswerForm, status: int) -> Response:
    response = pages.form_page(visit.page, chosen=form.scores, comment=form.comment, failed=True, status=status)
    response.headers["Retry-After"] = "5"
    return response


def _visit(token: str) -> _Visit:
    link = seams().links.read(token)
    try:
        record = seams().records.load(link.survey_id)
    except RecordsUnavailable as error:
        log.warning("records.unavailable", survey_id=link.survey_id, problem=str(error))
        record = None
    return _Visit(token, link, record, seams().intake.terms_of(link, record))


def _form() -> MultiDict[str, str]:
    read_body(request, LARGEST_FORM)
    return request.form if request.mimetype == "application/x-www-form-urlencoded" else MultiDict()


def _preselected(visit: _Visit) -> Mapping[RatingType, int]:
    """Read the score that a link carries. It chooses, it doesn't save: mail scanners open every link."""
    rating = visit.link.offers[0].rating
    score = next((score for score in rating.scores if str(score) == request.args.get("r")), None)
    return {} if score is None else {rating: score}


@bp.errorhandler(LinkError)
def _not_found(_error: LinkError) -> Response:
    settings = seams().settings
    return pages.not_found_page(settings.brand_name, settings.support_url)
