"""Intake of closes, changes, answers and opt-outs. Each is one write, and is acknowledged only after it.

The write goes to the records, or to the spool while Redis is unavailable. `take_spooled` writes it to the records
later.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

import structlog

from service.intake.latest import Repeated, add_to, key_of
from service.intake.spool import Entry, Spool, SpoolUnavailable
from service.intake.spool_codec import (
    SpooledAnswer,
    SpooledClose,
    SpooledOptOut,
    Waiting,
    read_entries,
    write_entry,
)
from service.records.answer_transitions import GivenAnswer
from service.records.opt_outs import HashedOptOuts
from service.records.outcomes import Outcome
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.rules.identity import Identities, recipient_hashes
from service.rules.matching import choose_at_close
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, Close, Record
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, OfferState

log = structlog.get_logger()

_CHANGES = {
    ChangeKind.REOPENED: (OfferState.CANCELLED, Reason.REOPENED),
    ChangeKind.RATED: (OfferState.SKIPPED, Reason.ALREADY_SURVEYED),
}
"""The end of a waiting survey after each kind of change."""
_COUNTS = {Outcome.SAVED, Outcome.SAME, Outcome.SUPERSEDED, Outcome.IGNORED}
"""The outcomes of a spooled answer without a loss: it counts, or one that replaces it does."""
_for_channel = lru_cache(256)(Survey.for_channel)
"""There are few surveys and channels, and many closes."""


class OptOutResult(StrEnum):
    """The result of an opt-out or an opt-in."""

    KEPT = "kept"
    SPOOLED = "spooled"
    SUPERSEDED = "superseded"
    """A later wish is known."""
    UNKNOWN = "unknown"
    """The record with the customer's identity is gone."""
    OTHER_REMAINS = "other_remains"
    """The opt-in is not enough: another address or number of the customer is still opted out."""


_LEFT_TO_SUPPORT = {OptOutResult.UNKNOWN: "opt_out.unknown", OptOutResult.OTHER_REMAINS: "opt_out.remains"}
"""The log events for results that need an operator, with `afterword opt-out` or `opt-in`."""


class NotKept(Exception):
    """Neither the records nor the spool could be written, so the request must be refused."""


class Intake:
    """Takes in events and forms. What `take_` methods can't write raises NotKept, except spooled entries."""

    def __init__(
        self,
        records: Records,
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
        self._surveys = surveys
        self._spool = spool

    def take_close(self, close: Close) -> Outcome:
        """Save a closed conversation with its candidate surveys, or with the reason why there is none."""
        choice = choose_at_close(close, self._surveys, self._own_addresses)
        candidates = tuple(_for_channel(survey, close.channel) for survey in choice.candidates)
        is_mailed = any("email" in survey.deliver for survey in candidates)
        of_email = self._identities.hashes_of(None, close.email)
        of_phone = self._identities.hashes_of(None, phone=close.phone)
        close = replace(
            close,
            person=(*self._identities.hashes_of(close.requester_id), *of_email, *of_phone),
            email_hashes=of_email,
            phone_hashes=of_phone,
            email=close.email if is_mailed else None,
            phone=None,
            odd_email=None,
        )
        survey_id = str(close.conversation_id)
        try:
            outcome, survey_id = self._records.accept(close, candidates, choice.reason, choice.mismatches)
        except RecordsUnavailable as error:
            self._put(SpooledClose(close, candidates, choice.reason, choice.mismatches), error)
            outcome = Outcome.SPOOLED
        surveys = [survey.name for survey in candidates]
        event = "close.recovered" if close.found_by else "close.received"
        log.info(event, outcome=outcome, survey_id=survey_id, surveys=surveys, reason=choice.reason)
        return outcome

    def take_change(self, change: Change) -> bool:
        """Apply a reopening or a rating. Return False if it ends no survey or reminder. A spooled one may."""
        try:
            outcome = self._records.cancel(change, *_CHANGES[change.kind])
        except RecordsUnavailable as error:
            self._put(change, error)
            outcome = Outcome.SPOOLED
        log.info("change.received", outcome=outcome, change=change.kind)
        return outcome in (Outcome.CANCELLED, Outcome.SKIPPED, Outcome.NOT_REMINDED, Outcome.SPOOLED)

    def take_answer(self, answer: GivenAnswer) -> Outcome:
        """Save a customer's answer until it is final."""
        given_at, survey_id = self._records.now(), answer.link.survey_id
        try:
            outcome = self._records.save_answer(answer)
        except RecordsUnavailable as error:
            self._put(SpooledAnswer(answer, given_at), error)
            outcome = Outcome.SPOOLED
        log.info(
            "answer.received",
            outcome=outcome,
            survey_id=survey_id,
            has_comment=bool(answer.comment),
            is_suspect=answer.is_suspect,
        )
        return outcome

    def take_opt_out(self, link: Link, *, is_opt_in: bool) -> OptOutResult:
        """Opt the customer of this link out of surveys, or in again."""
        wish = SpooledOptOut(link, is_opt_in, self._records.now())
        try:
            outcome = self._apply_opt_out(link, is_opt_in=is_opt_in)
        except RecordsUnavailable as error:
            self._put(wish, error)
            outcome = OptOutResult.SPOOLED
        if outcome in _LEFT_TO_SUPPORT:
            log.warning(_LEFT_TO_SUPPORT[outcome], survey_id=link.survey_id)
        elif is_opt_in:
            log.info("opt_out.removed", outcome=outcome, survey_id=link.survey_id)
        else:
            log.info("opt_out.saved", outcome=outcome, survey_id=link.survey_id)
        return outcome

    def take_spooled(self, entry: Entry) -> None:
        """Write a spooled entry to the records. Raises RecordsUnavailable, or EntryError for a corrupt one."""
        waiting = read_entries(entry)
        # Each entry delays all answers by RECOVERY_WAIT: another host's spool may hold a later one.
        self._records.delay_answers(self._recovery_wait)
        for waited in waiting:
            self._unspool(waited, survey_id=str(entry.get("survey_id") or entry.get("conversation_id")))

    def _unspool(self, waited: Waiting, survey_id: str) -> None:
        outcome: Outcome | OptOutResult
        if isinstance(waited, SpooledClose):
            given = (waited.close, waited.candidates, waited.reason, waited.mismatches)
            outcome = self._records.accept(*given, is_spooled=True)[0]
        elif isinstance(waited, Change):
            outcome = self._records.cancel(waited, *_CHANGES[waited.kind])
        elif isinstance(waited, SpooledOptOut):
            outcome = self._apply_opt_out(waited.link, is_opt_in=waited.is_opt_in, wished_at=waited.wished_at)
            if outcome in _LEFT_TO_SUPPORT:
                # The customer saw a confirmation. The operator finds the requester in Dixa, for `afterword opt-out`.
                conversation_id = waited.link.conversation_id
                log.error(_LEFT_TO_SUPPORT[outcome], survey_id=survey_id, conversation_id=conversation_id)
        else:
            outcome = self._records.save_answer(waited.answer, waited.answered_at)
            if outcome not in _COUNTS:
                # The customer saw the thanks page, but an earlier answer was final before this one was drained.
                log.error("answer.not_counted", survey_id=survey_id, outcome=outcome)
        log.info("spool.drained", survey_id=survey_id, outcome=outcome)

    def terms_of(self, link: Link, record: Record | None) -> Survey:
        """Return the terms of a link: from its record, else from the survey of its name, else the defaults."""
        if record and record.terms:
            return record.terms
        named = (survey for survey in self._surveys if survey.name == link.survey_name)
        return next(named, Survey(ratings=tuple(offer.rating for offer in link.offers)))

    def _apply_opt_out(self, link: Link, *, is_opt_in: bool, wished_at: datetime | None = None) -> OptOutResult:
        record = self._records.load(link.survey_id)
        requester_id = record.close.requester_id if record and record.close else None
        if not record or not record.close or not requester_id:
            return OptOutResult.UNKNOWN
        reached = recipient_hashes(record)
        if not is_opt_in:
            is_kept = self._opt_outs.add(requester_id, reached, at=wished_at)
            return OptOutResult.KEPT if is_kept else OptOutResult.SUPERSEDED
        self._opt_outs.remove(requester_id, reached, at=wished_at)
        left = self._opt_outs.find([requester_id, *record.close.person])
        # An opt-out made after the spooled opt-in is a later wish.
        is_later = any(since and wished_at and since > wished_at for since in left.values())
        return OptOutResult.SUPERSEDED if is_later else OptOutResult.OTHER_REMAINS if left else OptOutResult.KEPT

    def _put(self, waiting: Waiting, error: RecordsUnavailable) -> None:
        """Write to the spool instead of the records. Raises NotKept if it fails too, or if there is none."""
        if self._spool is None:
            raise NotKept(f"the records: {error}; there is no spool") from error
        try:
            if isinstance(waiting, Repeated):
                self._spool.put_latest(key_of(waiting), lambda before: add_to(before, waiting))
            else:
                self._spool.put(write_entry(waiting))
        except SpoolUnavailable as spool_error:
            raise NotKept(f"the records: {error}; the spool: {spool_error}") from spool_error
