"""A survey as its page shows it: the link, its record in Redis, and everything derived from both. Read-only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

import structlog
from flask import request, url_for

from service.records.answer_transitions import MAX_EXTENSION
from service.records.redis import RecordsUnavailable
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.surveys.links import Link, Receipt
from service.surveys.model import AnswerProgress, Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, OfferState
from service.texts.catalog import Language
from service.web.forms import AnswerForm
from service.web.language import choose_language, requested_language
from service.web.mangled_links import query_value
from service.web.page_context import Closed, EditDeadline, PageContext
from service.web.services import services

log = structlog.get_logger()

_MIN_READING_TIME = timedelta(seconds=3)
"""An answer that comes faster was sent by a machine: mail scanners press buttons."""

_LAST_TIME_ZONE = timedelta(hours=12)
"""In UTC-12 a day ends 12 hours after UTC's."""


@dataclass(frozen=True)
class SurveyContext:
    """A valid link and its record. Each fact is derived once for a request.

    `record` is None if it is lost, or if Redis is down: then `problem` is the error. The page works without it.
    `chosen_language` is the customer's choice on the page.
    """

    token: str
    link: Link
    record: Record | None
    terms: Survey
    problem: str = ""
    chosen_language: str | None = field(default_factory=requested_language)

    @cached_property
    def page(self) -> PageContext:
        """The facts on every page of this survey."""
        settings = services().settings
        brand = settings.brand_of(self.terms)
        close = self.record.close if self.record else None
        return PageContext(
            language=self.language,
            brand=brand.name,
            support_url=brand.support_url,
            privacy_url=brand.privacy_url,
            ratings=self.ratings,
            channel=close.channel if close else None,
            closed_on=close.day_in(self.terms.zone_or(settings.time_zone)) if close else None,
            action=query_of(self.own_url) if self.chosen_language or self.receipt else "?",
            opt_out_url=url_for("opt_out.show", token=self.token, lang=self.chosen_language),
            query=_query_to_keep(),
            theme=brand.theme,
            until=self.until,
            kept_for=services().records.lifetime(self.terms),
            words=self.terms.words_in(self.language.code),
            thank_you=next((each.thank_you for each in self._thank_you_pages if each.matches(self.scores)), ""),
            deadline=self.deadline,
            survey="" if self.terms.brand == OwnBrand() else self.terms.name,
        )

    @property
    def ratings(self) -> tuple[RatingType, ...]:
        """The rating types of the link, in the order of the page."""
        return tuple(offer.rating for offer in self.link.offers)

    @cached_property
    def answer(self) -> AnswerProgress | None:
        """The saved answer.

        A suspect answer is hidden while it can be replaced: the customer must see an empty form, not a scanner's score.
        Only its sender sees it, by the receipt.
        """
        answer = self.record.answer if self.record else None
        is_hidden = answer is not None and answer.state is AnswerState.EDITABLE and answer.is_suspect
        return None if is_hidden and self.receipt is None else answer

    @property
    def _thank_you_pages(self) -> list[OnAnswer]:
        """The thank-you pages on hosts of THANK_YOU_HOSTS. The setting may have changed since the survey was sent."""
        hosts = services().settings.thank_you_hosts or ()
        return [each for each in self.terms.on_answer if each.thank_you and each.thank_you_host in hosts]

    @property
    def scores(self) -> Mapping[RatingType, int]:
        """The saved scores, from the record or else from the receipt."""
        if self.answer:
            return self.answer.answer.scores
        return self.receipt.scores if self.receipt else {}

    @property
    def has_comment(self) -> bool:
        """Whether a comment is saved. A suspect answer's doesn't count, because any other answer replaces it."""
        if self.answer:
            return self.answer.has_comment and not self.answer.is_suspect
        return self.receipt is not None and self.receipt.has_comment

    @cached_property
    def deadline(self) -> EditDeadline | None:
        """The end of the time to change the answer. None if it is final, or if Redis is down."""
        if self.answer is None or self.answer.state is not AnswerState.EDITABLE or self.answer.due_at is None:
            return None
        now = services().records.now()
        if self.answer.due_at <= now:
            return None
        zone = self.terms.zone_or(services().settings.time_zone)
        first = self.answer.first_answered_at or self.answer.answer.answered_at
        can_move = min(now + self.terms.extend, first + MAX_EXTENSION) > self.answer.due_at
        return EditDeadline(self.answer.due_at.astimezone(zone), now, can_move=can_move)

    @property
    def is_final(self) -> bool:
        """Whether the answer can no longer be changed."""
        return self.answer is not None and self.deadline is None

    def redirect_url(self, scores: Mapping[RatingType, int]) -> str | None:
        """Return the redirect of an answer with these scores to a thank-you page, or None."""
        return next((each.thank_you for each in self._thank_you_pages if each.redirect and each.matches(scores)), None)

    def url(
        self,
        *,
        change: int | None = None,
        receipt: str | None = None,
        onward: int | None = None,
        forgotten: int | None = None,
    ) -> str:
        """Return the URL of this survey's page, in the chosen language."""
        return url_for(
            "survey.show",
            token=self.token,
            lang=self.chosen_language,
            change=change,
            receipt=receipt,
            onward=onward,
            forgotten=forgotten,
        )

    @property
    def own_url(self) -> str:
        """The URL of this page, with the receipt if there is one."""
        return self.url(receipt=self._signed_receipt)

    @property
    def change_url(self) -> str:
        """The URL of the change page."""
        return self.url(change=1, receipt=self._signed_receipt)

    @property
    def _signed_receipt(self) -> str | None:
        return request.args["receipt"] if self.receipt else None

    @cached_property
    def receipt(self) -> Receipt | None:
        """The signed copy of a spooled or suspect answer, from the URL of the thanks."""
        text = request.args.get("receipt", "")
        receipt = services().links.read_receipt(text) if text else None
        return receipt if receipt and receipt.survey_id == self.link.survey_id else None

    @cached_property
    def language(self) -> Language:
        """The language of the page."""
        spoken = self.record.offer.language if self.record else ""
        return choose_language(self.chosen_language, spoken, services().settings.default_language)

    def is_suspect(self, form: AnswerForm) -> bool:
        """Return whether a machine may have sent this form: it filled in the honeypot, or came too fast.

        A comment shows a person, however fast.
        """
        times = (self.link.issued_at, self.record and self.record.offer.delivered_at)
        is_too_fast = any(at and datetime.now(UTC) - at <= _MIN_READING_TIME for at in times)
        return form.is_suspect or (is_too_fast and not form.comment)

    @property
    def until(self) -> date | None:
        """The last date to end in every time zone before the link expires."""
        if self.link.issued_at is None or self.answer:
            return None
        last = (self.link.issued_at + self.terms.expires - _LAST_TIME_ZONE).date() - timedelta(days=1)
        return last if last >= datetime.now(UTC).date() else None

    @property
    def closed(self) -> Closed | None:
        """Why the survey takes no answer, or None.

        A record cancelled for another reason than erasure doesn't close it. No link is sent before its offer:
        such a record was restored from an older backup.
        """
        if self._is_erased:
            return Closed.ERASED
        issued_at = self.link.issued_at
        if self.answer is None and issued_at and datetime.now(UTC) > issued_at + self.terms.expires:
            return Closed.EXPIRED
        return None

    @property
    def _is_erased(self) -> bool:
        """Whether Dixa anonymised the conversation, before or after the survey was sent."""
        if self.record is None:
            return False
        offer, answer = self.record.offer, self.record.answer
        is_never_sent = offer.state in (OfferState.CANCELLED, OfferState.FAILED) and offer.reason == Reason.ERASED
        is_dropped = answer is not None and answer.state is AnswerState.FAILED and answer.reason == Reason.ERASED
        return is_never_sent or is_dropped


def load_context(token: str) -> SurveyContext:
    """Load a link and its record. Raises LinkError."""
    core = services()
    link = core.links.read(token)
    try:
        record = core.records.load(link.survey_id)
    except RecordsUnavailable as error:
        log.warning("records.unavailable", survey_id=link.survey_id, problem=str(error))
        return SurveyContext(token, link, None, core.intake.terms_of(link, None), problem=str(error))
    return SurveyContext(token, link, record, core.intake.terms_of(link, record))


def context_of_link(token: str) -> SurveyContext:
    """Load a link without its record, and without any call. Raises LinkError."""
    link = services().links.read(token)
    return SurveyContext(token, link, None, services().intake.terms_of(link, None))


def query_of(url: str) -> str:
    """Return a URL's query as a link to the same path. The token, the longest part of a URL, needn't be repeated.

    It is never empty: a form without an action would keep the fragment of the page. That would take the focus from
    errors.
    """
    return f"?{urlsplit(url).query}"


def _query_to_keep() -> str | None:
    """Return the query for links to other languages. None with a receipt: it is too long to be repeated."""
    if "receipt" in request.args:
        return None
    score = re.fullmatch(r"[0-9]{1,2}", query_value("r"))
    return "change=1" if "change" in request.args else f"r={score[0]}" if score else ""
