"""A context to a survey's link: what the link and its record say, and so what every page of the survey shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import structlog
from flask import request, url_for

from service.records.redis import RecordsUnavailable
from service.records.transitions import MAX_EXTENSION
from service.surveys.definition import Survey
from service.surveys.links import Link, Receipt
from service.surveys.model import AnswerProgress, AnswerState, OfferState, Reason, Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.texts.catalog import Language
from service.web.language import choose_language, requested_language
from service.web.mangled_links import query_value
from service.web.page_context import Closed, Deadline, PageContext
from service.web.services import services

log = structlog.get_logger()

_HASTE = timedelta(seconds=3)
"""Nobody reads a message and answers it in this time."""

_WESTERNMOST = timedelta(hours=12)
"""How long after UTC's a day ends where it ends last."""


@dataclass(frozen=True, slots=True)
class SurveyContext:
    """A valid link and what its record says. No record: it is lost, or Redis can't be asked; the link is enough.

    `problem` is why Redis can't be asked, if so. `asked` is the language that the customer chose on the page.
    """

    token: str
    link: Link
    record: Record | None
    terms: Survey
    problem: str = ""
    asked: str | None = field(default_factory=requested_language)

    @property
    def page(self) -> PageContext:
        """What the pages are told."""
        settings = services().settings
        brand = settings.brand_of(self.terms)
        close = self.record.close if self.record else None
        return PageContext(
            language=self.language,
            brand=brand.name,
            support_url=brand.support_url,
            privacy_url=brand.privacy_url,
            ratings=tuple(offer.rating for offer in self.link.offers),
            channel=close.channel if close else None,
            closed_on=close.day_in(self.terms.zone_or(settings.time_zone)) if close else None,
            action=without_path(self.own_url),
            opt_out_url=url_for("opt_out.show", token=self.token, lang=self.asked),
            query=_query_to_keep(),
            look=brand.look,
            until=self.until,
            kept_for=services().records.lifetime(self.terms),
            words=self.terms.words_in(self.language.code),
            thank_you=next((each.thank_you for each in self._after if each.is_for(self.scores)), ""),
            deadline=self.deadline,
        )

    @property
    def answer(self) -> AnswerProgress | None:
        """The answer that the page speaks of.

        One that a machine may have sent counts for nothing while it is held, except for whoever has its receipt.
        """
        answer = self.record.answer if self.record else None
        is_in_doubt = answer is not None and answer.state is AnswerState.EDITABLE and answer.is_suspect
        return None if is_in_doubt and self.receipt is None else answer

    @property
    def _after(self) -> list[OnAnswer]:
        """What thanks customers on a page elsewhere. A host that isn't allowed any more isn't linked to any more."""
        hosts = services().settings.endpoints.thank_you_hosts
        return [each for each in self.terms.on_answer if each.thank_you and each.thank_you_host in hosts]

    @property
    def scores(self) -> Mapping[RatingType, int]:
        """What is saved, as far as this page can know."""
        if self.answer:
            return self.answer.answer.scores
        return self.receipt.scores if self.receipt else {}

    @property
    def has_comment(self) -> bool:
        """Whether a comment is saved for good, as far as this page can know: a suspect answer's yields to any other."""
        if self.answer:
            return self.answer.has_comment and not self.answer.is_suspect
        return self.receipt is not None and self.receipt.has_comment

    @property
    def deadline(self) -> Deadline | None:
        """Until when the answer can be changed; None when it can't, and when nobody knows."""
        now = services().records.now()
        if self.answer is None or self.answer.state is not AnswerState.EDITABLE or self.answer.due_at is None:
            return None
        zone = self.terms.zone_or(services().settings.time_zone)
        if self.answer.due_at <= now:
            return None
        first = self.answer.first_answered_at or self.answer.answer.answered_at
        can_move = min(now + self.terms.extend, first + MAX_EXTENSION) > self.answer.due_at
        return Deadline(self.answer.due_at.astimezone(zone), now, can_move=can_move)

    @property
    def is_final(self) -> bool:
        """Whether there is an answer that can't be changed any more."""
        return self.answer is not None and self.deadline is None

    def onward(self, scores: Mapping[RatingType, int]) -> str | None:
        """Where the thanks of an answer with these scores lead on to at once, if anywhere."""
        return next((each.thank_you for each in self._after if each.redirect and each.is_for(scores)), None)

    def url(
        self,
        *,
        change: int | None = None,
        receipt: str | None = None,
        onward: int | None = None,
        forgotten: int | None = None,
    ) -> str:
        """Where this survey is, in the language that was asked for if one was."""
        return url_for(
            "survey.show",
            token=self.token,
            lang=self.asked,
            change=change,
            receipt=receipt,
            onward=onward,
            forgotten=forgotten,
        )

    def with_more_time(self) -> "SurveyContext":
        """Give more time to change the answer, if it is held, and look again at what is so then."""
        if self.deadline is None:
            return self
        try:
            services().records.extend(self.link.survey_id, self.terms)
        except RecordsUnavailable as error:
            log.warning("answer.not_extended", survey_id=self.link.survey_id, problem=str(error))
            return self
        return replace(load_context(self.token), asked=self.asked)

    @property
    def own_url(self) -> str:
        """The same for whoever sees this page: a receipt stays with them."""
        return self.url(receipt=self._signed_receipt)

    @property
    def change_url(self) -> str:
        """Where the answer can be changed."""
        return self.url(change=1, receipt=self._signed_receipt)

    @property
    def _signed_receipt(self) -> str | None:
        return request.args["receipt"] if self.receipt else None

    @property
    def receipt(self) -> Receipt | None:
        """What the thanks say of an answer that the records don't know of yet, or that may be a machine's."""
        receipt = services().links.read_receipt(request.args.get("receipt", ""))
        return receipt if receipt and receipt.survey_id == self.link.survey_id else None

    @property
    def language(self) -> Language:
        """What this page speaks."""
        spoken = self.record.offer.language if self.record else ""
        return choose_language(spoken, services().settings.default_language, self.asked)

    @property
    def was_just_sent(self) -> bool:
        """Whether the link is too new for a person to have used it."""
        times = (self.link.issued_at, self.record and self.record.offer.delivered_at)
        return any(at and datetime.now(UTC) - at <= _HASTE for at in times)

    @property
    def until(self) -> date | None:
        """Give the last day that is over, wherever on Earth the customer is, before the link expires."""
        if self.link.issued_at is None or self.answer:
            return None
        last = (self.link.issued_at + self.terms.expires - _WESTERNMOST).date() - timedelta(days=1)
        return last if last >= datetime.now(UTC).date() else None

    @property
    def closed(self) -> Closed | None:
        """Why no answer is taken any more, if so.

        A record that was cancelled for another reason comes from a backup: no link leaves before its offer.
        """
        if self._is_erased:
            return Closed.ERASED
        issued_at = self.link.issued_at
        if self.answer is None and issued_at and datetime.now(UTC) > issued_at + self.terms.expires:
            return Closed.EXPIRED
        return None

    @property
    def _is_erased(self) -> bool:
        """Whether Dixa has anonymised the conversation, before the survey was sent or after."""
        if self.record is None:
            return False
        offer, answer = self.record.offer, self.record.answer
        is_never_sent = offer.state in (OfferState.CANCELLED, OfferState.FAILED) and offer.reason == Reason.ERASED
        is_dropped = answer is not None and answer.state is AnswerState.FAILED and answer.reason == Reason.ERASED
        return is_never_sent or is_dropped


def load_context(token: str) -> SurveyContext:
    """Read a link and its record. Raises LinkError."""
    link = services().links.read(token)
    try:
        record = services().records.load(link.survey_id)
    except RecordsUnavailable as error:
        log.warning("records.unavailable", survey_id=link.survey_id, problem=str(error))
        return SurveyContext(token, link, None, services().intake.terms_of(link, None), problem=str(error))
    return SurveyContext(token, link, record, services().intake.terms_of(link, record))


def context_of_link(token: str) -> SurveyContext:
    """Read a link alone, asking nobody for anything. Raises LinkError."""
    link = services().links.read(token)
    return SurveyContext(token, link, None, services().intake.terms_of(link, None))


def without_path(url: str) -> str:
    """Return what leads from a page to another view of it. Short, since the token is the largest part of a URL.

    Never empty: a form without an address would keep the page's fragment, which takes the focus from what is wrong.
    """
    return f"?{urlsplit(url).query}"


def _query_to_keep() -> str | None:
    """Give what the links to the other languages keep; the thanks with a receipt, which is long, has no such links."""
    if "receipt" in request.args:
        return None
    score = re.fullmatch(r"[0-9]{1,2}", query_value("r"))
    return "change=1" if "change" in request.args else f"r={score[0]}" if score else ""
