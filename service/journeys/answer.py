"""The way of an answer: from an editable answer to its result in Dixa, one claim at a time.

    editable → (editable time is over) → submit each score, the comment with the first → submitted

The conversation is fetched before the first score of a claim: an anonymised one must get no result.
"""

from datetime import datetime, timedelta

import structlog

from service.journeys.attempt import Attempt
from service.journeys.next_step import CallFailed, Done, Fail, Next, Wait
from service.records.answer_transitions import MAX_EXTENSION
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.errors import Refused
from service.surveys.model import Answer, AnswerProgress, Call, Record
from service.surveys.ports import Slot
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey

log = structlog.get_logger()


class AnswerJourney:
    """Submits each score once."""

    journey = Journey.ANSWER
    max_wait = timedelta(seconds=1)

    def __init__(self, records: Records) -> None:
        self._records = records

    def advance(self, attempt: Attempt) -> Next:
        """Go on from the record's state."""
        progress = attempt.record.answer
        if progress is None:
            return Done()
        if self._records.is_recovering(attempt.timings.recovery_wait):
            # A spool may hold a later answer. The relay may not know of the outage.
            return Wait(attempt.timings.recovery_wait)
        if progress.call:
            return self._reconcile(attempt, progress, progress.call)
        if _is_too_late(attempt, progress):
            return Fail(Reason.TOO_LATE, "tried for too long")
        return self._submit_all(attempt, progress)

    def _submit_all(self, attempt: Attempt, progress: AnswerProgress) -> Next:
        attempt.refuse_erased()
        for rating in progress.answer.scores:
            if rating not in progress.submitted:
                step = self._submit(attempt, rating)
                if not isinstance(step, Done):
                    return step
        return Done()

    def _submit(self, attempt: Attempt, rating: RatingType) -> Next:
        """Submit one score. Done when Dixa has it."""
        is_there = attempt.record.reconcile_first and self._is_rated(attempt, rating)
        slot = attempt.slot()
        # The customer may have changed the answer since the claim. From this write on nobody can, so this one counts.
        answer = self._records.begin_call(attempt.claim, rating, (), attempt.timings.step_budget).answered
        claimed = attempt.record.answered
        if answer.scores.keys() != claimed.scores.keys():
            # Other questions were answered. Nothing was sent yet, so begin anew.
            return CallFailed(timedelta(), is_failure=False)
        step = Done() if is_there else self._send(attempt, slot, rating, answer)
        if isinstance(step, Done):
            self._write_submitted(attempt, rating, answer)
        return step

    def _send(self, attempt: Attempt, slot: Slot, rating: RatingType, answer: Answer) -> Next:
        """Make the call. Done when Dixa has the result, even if it refuses this call."""
        rating_id = next(offer.rating_id for offer in attempt.record.offers if offer.rating is rating)
        is_first = rating is next(iter(answer.scores))
        try:
            failure = attempt.make(
                lambda: attempt.dixa.submit(
                    slot,
                    attempt.record.conversation_id,
                    rating_id,
                    rating=rating,
                    score=answer.scores[rating],
                    comment=answer.comment if is_first else "",
                    submitted_at=answer.answered_at,
                )
            )
        except Refused:
            # Dixa may refuse because it has the result already.
            if self._is_rated(attempt, rating):
                return Done()
            attempt.refuse_erased()
            raise
        return failure or Done()

    def _reconcile(self, attempt: Attempt, progress: AnswerProgress, call: Call) -> Next:
        """Find the result of a submit with a lost response. It is rated by now, or never will be."""
        if wait := attempt.reconcile_in(call):
            return Wait(wait)
        if not self._is_rated(attempt, call.rating):
            log.info("result.not_submitted")
            return CallFailed(attempt.backoff())
        self._write_submitted(attempt, call.rating, progress.answer)
        return Wait(timedelta())

    def _write_submitted(self, attempt: Attempt, rating: RatingType, answer: Answer) -> None:
        self._records.submitted(attempt.claim, rating, tuple(answer.scores))
        log.info("result.submitted", rating=rating)

    def _is_rated(self, attempt: Attempt, rating: RatingType) -> bool:
        """Return whether Dixa has a result for our offer of this type."""
        ours = {offer.rating_id for offer in attempt.record.offers if offer.rating is rating}
        found = attempt.ratings()
        return any(each.id in ours and each.type == rating and each.status == "Rated" for each in found)


def _is_too_late(attempt: Attempt, progress: AnswerProgress) -> bool:
    since = progress.retried_at or latest_final_at(attempt.record, progress)
    return attempt.is_late(attempt.timings.answer_max_age, lambda within: attempt.at > since + within)


def latest_final_at(record: Record, progress: AnswerProgress) -> datetime:
    """Return when the answer is final at the latest, unless it was in a spool. More time to change it is included."""
    editable_time = (record.terms or Survey()).editable_time(is_suspect=progress.is_suspect)
    return progress.answer.answered_at + max(editable_time, MAX_EXTENSION)
