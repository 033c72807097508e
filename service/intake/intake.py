"""What the web takes in: closes, changes, answers and stops. Each is one write; yes is said only after it.

The write goes to the records, or to the spool while Redis can't be written; `take_spooled` brings it home later.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from service.intake.latest import Repeated, add_to, key_of
from service.intake.spool import Entry, Spool, SpoolUnavailable
from service.intake.spool_codec import (
    GivenAnswer,
    SpooledAnswer,
    SpooledChange,
    SpooledClose,
    SpooledStop,
    Waiting,
    read_entries,
    write_change,
    write_close,
)
from service.records.opt_outs import HashedOptOuts
from service.records.outcomes import Outcome, WriteResult
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.rules.identity import Identities, recipient_hashes
from service.rules.matching import choose_at_close
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, ChangeKind, Close, Journey, OfferState, Reason, Record
from service.surveys.ports import Queue
from service.surveys.ratings import RatingType

log = structlog.get_logger()


_CHANGES = {
    ChangeKind.REOPENED: (OfferState.CANCELLED, Reason.REOPENED),
    ChangeKind.RATED: (OfferState.SKIPPED, Reason.ALREADY_SURVEYED),
}
"""What becomes of a survey that waits, and why."""
_COUNTS = {Outcome.SAVED, Outcome.SAME, Outcome.SUPERSEDED, Outcome.IGNORED}
"""What may become of an answer that waited in a spool: it counts, or a later one does, or one that isn't suspect."""


class Stopped(StrEnum):
    """What became of a customer's wish to be asked nothing any more, or of its undo."""

    KEPT = "kept"
    SPOOLED = "spooled"
    SUPERSEDED = "superseded"
    """A later wish is known already."""
    UNKNOWN = "unknown"
    """Nobody knows any more whom the survey was for."""
    STOPPED_OTHERWISE = "stopped_otherwise"
    """An undo that isn't enough: an address or a number is stopped that this link didn't go to."""


_LEFT_TO_SUPPORT = {Stopped.UNKNOWN: "stop.unknown", Stopped.STOPPED_OTHERWISE: "stop.not_undone"}
"""What the customer can't do alone, as the log has it: the operator can, by `afterword opt-out` and `opt-in`."""


class NotKept(Exception):
    """Neither the records nor the spool could be written: say no."""


class Intake:
    """The ways in. Each raises NotKept when nothing could be written."""

    def __init__(
        self,
        records: Records,
        queue: Queue,
        surveys: Sequence[Survey],
        spool: Spool | None,
        identities: Identities,
        recovery_wait: timedelta = timedelta(seconds=10),
        own_addresses: Collection[str] = (),
    ) -> None:
        self._own_addresses = own_addresses
        self._recovery_wait = recovery_wait
        self._identities = identities
        self._opt_outs = HashedOptOuts.beside(records)
        self._records = records
        self._queue = queue
        self._surveys = surveys
        self._spool = spool

    def take_close(self, close: Close) -> Outcome:
        """Keep a closed conversation, with the surveys it may lead to or the reason why it leads to none."""
        choice = choose_at_close(close, self._surveys, self._own_addresses)
        candidates = tuple(survey.for_channel(close.channel) for survey in choice.candidates)
        is_mailed = any("email" in survey.deliver for survey in candidates)
        close = replace(
            close,
            person=self._identities.hashes_of(close.requester_id, close.email, close.phone),
            email_hashes=self._identities.hashes_of(None, close.email),
            phone_hashes=self._identities.hashes_of(None, phone=close.phone),
            email=close.email if is_mailed else None,
            phone=None,
            odd_email=None,
        )
        survey_id = str(close.conversation_id)
        try:
            written = self._records.accept(close, candidates, choice.reason, choice.mismatches)
            outcome, survey_id = written.outcome, written.survey_id
            if written.is_due:
                self._queue.hint(Journey.OFFER, survey_id)
        except RecordsUnavailable as error:
            self._put(write_close(SpooledClose(close, candidates, choice.reason, choice.mismatches)), error)
            outcome = Outcome.SPOOLED
        surveys = [survey.name for survey in candidates]
        log.info("close.taken", outcome=outcome, survey_id=survey_id, surveys=surveys, reason=choice.reason)
        return outcome

    def take_change(self, change: Change) -> bool:
        """Keep that a conversation was reopened or rated; True if a survey or reminder that waited ends by it."""
        try:
            outcome = self._records.cancel(change, *_CHANGES[change.kind])
        except RecordsUnavailable as error:
            self._put(write_change(change), error)
            outcome = Outcome.SPOOLED
        log.info("change.taken", outcome=outcome, change=change.kind)
        return outcome in (Outcome.CANCELLED, Outcome.SKIPPED, Outcome.NOT_REMINDED, Outcome.SPOOLED)

    def take_answer(
        self,
        link: Link,
        terms: Survey,
        scores: Mapping[RatingType, int],
        comment: str | None,
        *,
        language: str,
        is_suspect: bool,
    ) -> Outcome:
        """Keep a customer's answer until it may be submitted; one that a machine may have sent is marked.

        A blank comment keeps the one before, None removes it.
        """
        answer, given_at = GivenAnswer(link, terms, scores, comment, language, is_suspect), self._records.now()
        try:
            written = self._write_answer(answer)
            outcome = written.outcome
            if written.is_due:
                self._queue.hint(Journey.ANSWER, link.survey_id)
        except RecordsUnavailable as error:
            self._put_latest(SpooledAnswer(answer, given_at), error)
            outcome = Outcome.SPOOLED
        log.info(
            "answer.taken",
            outcome=outcome,
            survey_id=link.survey_id,
            has_comment=bool(comment),
            is_suspect=is_suspect,
        )
        return outcome

    def take_stop(self, link: Link, *, is_undo: bool) -> Stopped:
        """Ask whoever this link's survey was for nothing any more, or ask them again."""
        wish = SpooledStop(link, is_undo, self._records.now())
        try:
            outcome = self._stop(link, is_undo=is_undo)
        except RecordsUnavailable as error:
            self._put_latest(wish, error)
            outcome = Stopped.SPOOLED
        if outcome in _LEFT_TO_SUPPORT:
            log.warning(_LEFT_TO_SUPPORT[outcome], survey_id=link.survey_id)
        elif is_undo:
            log.info("stop.undone", outcome=outcome, survey_id=link.survey_id)
        else:
            log.info("stop.kept", outcome=outcome, survey_id=link.survey_id)
        return outcome

    def take_spooled(self, entry: Entry) -> None:
        """Write what waited in the spool to the records. Raises RecordsUnavailable, or EntryError for a corrupt one."""
        waiting = read_entries(entry)
        # Until all spools are empty, and a little longer: another host's may have a later answer.
        self._records.delay_answers(self._recovery_wait)
        for waited in waiting:
            self._bring_home(waited)

    def _bring_home(self, waited: Waiting) -> None:
        # No hints: after a long outage they would flood the queue. The relay takes what is due.
        outcome = self._write(waited)
        log.info("spool.drained", survey_id=waited.survey_id, outcome=outcome)
        if isinstance(waited, SpooledAnswer) and outcome not in _COUNTS:
            # The customer was thanked for it: an earlier answer was final before this one came home.
            log.error("answer.not_counted", survey_id=waited.survey_id, outcome=outcome)
        if isinstance(waited, SpooledStop) and outcome in [*_LEFT_TO_SUPPORT]:
            # The customer was told yes. Dixa knows the conversation's requester: `afterword opt-out` takes its id.
            link, event = waited.link, _LEFT_TO_SUPPORT[Stopped(outcome)]
            log.error(event, survey_id=link.survey_id, conversation_id=link.conversation_id)

    def _write(self, waited: Waiting) -> str:
        if isinstance(waited, SpooledClose):
            return self._records.accept(waited.close, waited.candidates, waited.reason, waited.mismatches).outcome
        if isinstance(waited, SpooledChange):
            return self._records.cancel(waited.change, *_CHANGES[waited.change.kind])
        if isinstance(waited, SpooledStop):
            return self._stop(waited.link, is_undo=waited.is_undo, wished_at=waited.wished_at)
        return self._write_answer(waited.answer, waited.answered_at).outcome

    def terms_of(self, link: Link, record: Record | None) -> Survey:
        """Find the terms of a link: those of its record, else of the survey of that name, else the defaults."""
        if record and record.terms:
            return record.terms
        named = (survey for survey in self._surveys if survey.name == link.survey_name)
        return next(named, Survey(ratings=tuple(offer.rating for offer in link.offers)))

    def _write_answer(self, answer: GivenAnswer, answered_at: datetime | None = None) -> WriteResult:
        return self._records.save_answer(
            answer.link,
            answer.terms,
            answer.scores,
            answer.comment,
            language=answer.language,
            is_suspect=answer.is_suspect,
            answered_at=answered_at,
        )

    def _stop(self, link: Link, *, is_undo: bool, wished_at: datetime | None = None) -> Stopped:
        record = self._records.load(link.survey_id)
        requester_id = record.close.requester_id if record and record.close else None
        if not record or not record.close or not requester_id:
            return Stopped.UNKNOWN
        reached = recipient_hashes(record)
        if not is_undo:
            is_kept = self._opt_outs.add(requester_id, reached, at=wished_at)
            return Stopped.KEPT if is_kept else Stopped.SUPERSEDED
        self._opt_outs.remove(requester_id, reached, at=wished_at)
        left = self._opt_outs.find([requester_id, *record.close.person])
        # What is stopped since the undo was wished is a later wish.
        is_later = any(since and wished_at and since > wished_at for since in left.values())
        return Stopped.SUPERSEDED if is_later else Stopped.STOPPED_OTHERWISE if left else Stopped.KEPT

    def _put(self, entry: Entry, error: RecordsUnavailable) -> None:
        with _spooling(self._spool, error) as spool:
            spool.put(entry)

    def _put_latest(self, waiting: Repeated, error: RecordsUnavailable) -> None:
        with _spooling(self._spool, error) as spool:
            spool.put_latest(key_of(waiting), lambda before: add_to(before, waiting))


@contextmanager
def _spooling(spool: Spool | None, error: RecordsUnavailable) -> Iterator[Spool]:
    """Put something into the spool, if there is one, because the records could not be written."""
    if spool is None:
        raise NotKept(f"the records: {error}; there is no spool") from error
    try:
        yield spool
    except SpoolUnavailable as spool_error:
        raise NotKept(f"the records: {error}; the spool: {spool_error}") from spool_error
