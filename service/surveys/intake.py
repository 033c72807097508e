"""What the web takes in: closed conversations and answers. Each is one write; yes is said only after it."""

from collections.abc import Mapping, Sequence

import structlog

from config.surveys import RatingType, Survey
from service.surveys.links import Link
from service.surveys.model import Close, Journey, Record
from service.surveys.ports import Queue
from service.surveys.records import Accepted, Records, Saved
from service.surveys.rules import choose_survey

log = structlog.get_logger()


class Intake:
    """The two ways in. Both raise RecordsUnavailable when nothing could be written."""

    def __init__(self, records: Records, queue: Queue, surveys: Sequence[Survey]) -> None:
        self._records = records
        self._queue = queue
        self._surveys = surveys

    def take_close(self, close: Close) -> Accepted:
        """Keep a closed conversation, with the terms of the survey it leads to or the reason why it leads to none."""
        choice = choose_survey(close, self._surveys)
        written = self._records.accept(close, choice.survey, choice.reason)
        log.info(
            "close.taken",
            outcome=written.outcome,
            survey_id=str(close.conversation_id),
            survey=choice.survey and choice.survey.name,
            reason=choice.reason,
        )
        if written.is_due:
            self._queue.hint(Journey.OFFER, str(close.conversation_id))
        return Accepted(written.outcome)

    def take_answer(
        self,
        link: Link,
        terms: Survey,
        scores: Mapping[RatingType, int],
        comment: str,
        *,
        language: str,
        is_suspect: bool,
    ) -> Saved:
        """Keep a customer's answer until it may be submitted; one that a machine may have sent is marked."""
        written = self._records.answer(link, terms, scores, comment, language=language, is_suspect=is_suspect)
        log.info(
            "answer.taken",
            outcome=written.outcome,
            survey_id=link.survey_id,
            has_comment=bool(comment),
            is_suspect=is_suspect,
        )
        if written.is_due:
            self._queue.hint(Journey.ANSWER, link.survey_id)
        return Saved(written.outcome)

    def terms_of(self, link: Link, record: Record | None) -> Survey:
        """Find the terms of a link: those of its record, else of the survey of that name, else the defaults."""
        if record and record.terms:
            return record.terms
        named = (survey for survey in self._surveys if survey.name == link.survey_name)
        return next(named, Survey(ratings=tuple(offer.rating for offer in link.offers)))
