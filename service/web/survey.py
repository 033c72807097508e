"""`/s/<token>`: the customer's page. GET never writes an answer; POST keeps one and shows the thanks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from config.actions import After
from config.surveys import RatingType, Survey
from service.surveys.intake import NotKept
from service.surveys.languages import Language
from service.surveys.links import Link, LinkError, Receipt
from service.surveys.model import AnswerState, OfferState, Reason, Record
from service.surveys.records import Saved
from service.surveys.store import RecordsUnavailable
from service.web import pages, wording
from service.web.body import read_body
from service.web.forms import AnswerForm, FormError, load_answer_form
from service.web.language import asked_language, choose_language
from service.web.pages import Closed, PageContext
from service.web.seams import seams

bp = Blueprint("survey", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST_FORM = 32 * 1024
"""2,000 characters can be 24,000 bytes of a urlencoded form."""
_HASTE = timedelta(seconds=3)
"""Nobody reads a message and answers it in this time."""

_WESTERNMOST = timedelta(hours=12)
"""How long after UTC's a day ends where it ends last."""


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
        after = self._after
        return PageContext(
            language=self.language,
            brand=settings.brand_name,
            support_url=settings.support_url,
            privacy_url=settings.privacy_url,
            ratings=tuple(offer.rating for offer in self.link.offers),
            channel=close.channel if close else None,
            closed_on=close.closed_at.date() if close else None,
            action=self.url(),
            query=_query_to_keep(),
            look=settings.look,
            until=self.until,
            words=self.terms.words_in(self.language.code),
            forms_lead_to=tuple(
                dict.fromkeys(f"https://{urlsplit(each.thank_you).netloc}" for each in after if each.redirect)
            ),
            thank_you=next((each.thank_you for each in after if each.is_for(self.scores)), ""),
        )

    @property
    def _after(self) -> list[After]:
        """What thanks customers on a page elsewhere. A host that isn't allowed any more isn't linked to any more."""
        hosts = seams().settings.endpoints.thank_you_hosts
        return [each for each in self.terms.after if each.thank_you and each.thank_you_host in hosts]

    @property
    def scores(self) -> Mapping[RatingType, int]:
        """What is saved, as far as this page can know."""
        if self.record and self.record.answer:
            return self.record.answer.answer.scores
        return self.receipt.scores if self.receipt else {}

    def onward(self, scores: Mapping[RatingType, int]) -> str | None:
        """Where an answer with these scores leads to, if not to our own thanks."""
        return next((each.thank_you for each in self._after if each.redirect and each.is_for(scores)), None)

    def url(self, *, change: int | None = None, receipt: str | None = None) -> str:
        """Where this survey is, in the language that was asked for if one was."""
        return url_for("survey.show", token=self.token, lang=asked_language(), change=change, receipt=receipt)

    @property
    def change_url(self) -> str:
        """Where the answer can be changed."""
        return self.url(change=1)

    @property
    def receipt(self) -> Receipt | None:
        """What the thanks of an answer in the spool say; the records don't know of it yet."""
        receipt = seams().links.read_receipt(request.args.get("receipt", ""))
        return receipt if receipt and receipt.survey_id == self.link.survey_id else None

    @property
    def language(self) -> Language:
        """What this page speaks."""
        spoken = self.record.offer.language if self.record else ""
        return choose_language(spoken, seams().settings.default_language)

    @property
    def was_just_sent(self) -> bool:
        """Whether the link is too new for a person to have used it."""
        times = (self.link.issued_at, self.record and self.record.offer.delivered_at)
        return any(at and datetime.now(UTC) - at <= _HASTE for at in times)

    @property
    def until(self) -> date | None:
        """Give the last day that is over, wherever on Earth the customer is, before the link expires."""
        if self.link.issued_at is None or (self.record and self.record.answer):
            return None
        last = (self.link.issued_at + self.terms.expires - _WESTERNMOST).date() - timedelta(days=1)
        return last if last >= datetime.now(UTC).date() else None

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
        return pages.closed_page(visit.page, Closed.CANCELLED)
    if saved is Saved.NOT_CHANGED:
        return pages.recorded_page(visit.page, not_changed=True)
    if onward := visit.onward(form.scores):
        return redirect(onward, 303)
    if saved is Saved.SPOOLED:
        receipt = Receipt(visit.link.survey_id, form.scores, bool(form.comment))
        signed = seams().links.sign_receipt(receipt)
        return redirect(visit.url(receipt=signed), 303)
    return redirect(visit.url(), 303)


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
    if score is None or seams().openings.is_machine(visit.link.survey_id, score, keep=visit.terms.expires):
        return {}
    return {rating: score}


def _query_to_keep() -> str | None:
    """Give what the links to the other languages keep; the thanks with a receipt, which is long, has no such links."""
    if "receipt" in request.args:
        return None
    score = re.fullmatch(r"[0-9]{1,2}", request.args.get("r", ""))
    return "change=1" if "change" in request.args else f"r={score[0]}" if score else ""


@bp.errorhandler(LinkError)
def not_found(_error: LinkError | None = None) -> Response:
    """Answer a bad token, and every path that leads nowhere."""
    settings = seams().settings
    spoken = choose_language("", settings.default_language)
    return pages.not_found_page(spoken, settings.brand_name, settings.support_url, settings.look)
