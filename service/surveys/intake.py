"""What the web takes in: closed conversations and answers. Each is one write; yes is said only after it.

The write goes to the records, or to the spool while Redis can't be written; `take_spooled` brings it home later.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from config.surveys import RatingType, Survey
from service.surveys.entries import GivenAnswer, SpooledClose, read_entry, write_answer, write_close
from service.surveys.links import Link
from service.surveys.model import Close, Journey, Record
from service.surveys.ports import Queue
from service.surveys.records import Accepted, Records, RecordsUnavailable, Saved, Written
from service.surveys.rules import choose_survey
from service.surveys.spool import Entry, Spool, SpoolUnavailable

log = structlog.get_logger()


class NotKept(Exception):
    """Neither the records nor the spool could be written: say no."""


class Intake:
    """The two ways in. Both raise NotKept when nothing could be written."""

    def __init__(
        self,
        records: Records,
        queue: Queue,
        surveys: Sequence[Survey],
        spool: Spool | None,
        recovery_wait: timedelta = timedelta(seconds=10),
    ) -> None:
        self._recovery_wait = recovery_wait
        self._records = records
        self._queue = queue
        self._surveys = surveys
        self._spool = spool

    def take_close(self, close: Close) -> Accepted:
        """Keep a closed conversation, with the terms of the survey it leads to or the reason why it leads to none."""
        choice = choose_survey(close, self._surveys)
        try:
            written = self._records.accept(close, choice.survey, choice.reason)
            outcome = Accepted(written.outcome)
            if written.is_due:
                self._queue.hint(Journey.OFFER, str(close.conversation_id))
        except RecordsUnavailable as error:
            self._put(write_close(close, choice.survey, choice.reason), error)
            outcome = Accepted.SPOOLED
        survey_id = str(close.conversation_id)
        survey = choice.survey.name if choice.survey else None
        log.info("close.taken", outcome=outcome, survey_id=survey_id, survey=survey, reason=choice.reason)
        return outcome

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
        answer = GivenAnswer(link, terms, scores, comment, language, is_suspect)
        try:
            written = self._write_answer(answer)
            outcome = Saved(written.outcome)
            if written.is_due:
                self._queue.hint(Journey.ANSWER, link.survey_id)
        except RecordsUnavailable as error:
            self._put(write_answer(answer), error)
            outcome = Saved.SPOOLED
        log.info(
            "answer.taken",
            outcome=outcome,
            survey_id=link.survey_id,
            has_comment=bool(comment),
            is_suspect=is_suspect,
        )
        return outcome

    def take_spooled(self, entry: Entry) -> None:
        """Write what waited in the spool to the records. Raises RecordsUnavailable, or EntryError for a corrupt one."""
        waited = read_entry(entry)
        # Until all spools are empty, and a little longer: another host's may have a later answer.
        self._records.hold_answers(self._recovery_wait)
        # No hints: after a long outage they would flood the queue. The relay takes what is due.
        if isinstance(waited, SpooledClose):
            outcome = self._records.accept(waited.close, waited.terms, waited.reason).outcome
        else:
            outcome = self._write_answer(waited.answer, waited.answered_at).outcome
        log.info("spool.drained", survey_id=waited.survey_id, outcome=outcome)

    def terms_of(self, link: Link, record: Record | None) -> Survey:
        """Find the terms of a link: those of its record, else of the survey of that name, else the defaults."""
        if record and record.terms:
            return record.terms
        named = (survey for survey in self._surveys if survey.name == link.survey_name)
        return next(named, Survey(ratings=tuple(offer.rating for offer in link.offers)))

    def _write_answer(self, answer: GivenAnswer, answered_at: datetime | None = None) -> Written:
        return self._records.answer(
            answer.link,
            answer.terms,
            answer.scores,
            answer.comment,
            language=answer.language,
            is_suspect=answer.is_suspect,
            answered_at=answered_at,
        )

    def _put(self, entry: Entry, error: RecordsUnavailable) -> None:
        if self._spool is None:
            raise NotKept(f"the records: {error}; there is no spool") from error
        try:
            self._spool.put(entry)
        except SpoolUnavailable as spool_error:
            raise NotKept(f"the records: {error}; the spool: {spool_error}") from spool_error
