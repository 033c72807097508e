"""The answer's journey: from a held answer to its result in Dixa, one claim at a time.

Before a comment is sent the conversation is looked at: nothing is written into one that was anonymised.
"""

from datetime import datetime, timedelta

import structlog

from service.journeys.runner import Traveller, Turn
from service.records.transitions import MAX_EXTENSION
from service.surveys.definition import Survey
from service.surveys.errors import Refused
from service.surveys.model import Answer, AnswerProgress, Call, Journey, Reason, Record
from service.surveys.ratings import RatingType

log = structlog.get_logger()


class AnswerJourney(Traveller):
    """Submits each score once, the comment with the first."""

    journey = Journey.ANSWER
    max_wait = timedelta(seconds=1)
    _call_name = "submit"

    def _advance(self, turn: Turn) -> None:
        progress = turn.record.answer
        if progress is None:
            return
        if self._records.is_recovering(self._timings.recovery_wait):
            # A spool may hold a later answer than the record does. Whoever has queued this may know of no outage.
            self._records.reschedule(turn.claim, self._timings.recovery_wait, failed=False)
        elif progress.call:
            self._look_for_result(turn, progress, progress.call)
        elif self._is_too_late(turn, progress):
            self._die(turn, Reason.TOO_LATE, problem="tried for too long")
        else:
            self._submit_all(turn, progress)

    def _is_too_late(self, turn: Turn, progress: AnswerProgress) -> bool:
        since = _tried_since(turn.record, progress)
        return self._is_late(turn, self._timings.answer_max_age, lambda within: turn.claim.at > since + within)

    def _submit_all(self, turn: Turn, progress: AnswerProgress) -> None:
        if progress.answer.comment and not progress.submitted and self._is_erased(turn):
            self._erase(turn)
            return
        for rating in progress.answer.scores:
            if rating not in progress.submitted and not self._submit(turn, rating):
                return

    def _submit(self, turn: Turn, rating: RatingType) -> bool:
        is_there = turn.record.looks_first and self._is_rated(turn, rating)
        slot = self._slot(turn)
        # The customer may have changed the answer since the claim; what counts is what the mark returns.
        answer = self._records.mark(turn.claim, rating, (), self._timings.step_budget).answered
        claimed = turn.record.answered
        if answer.scores.keys() != claimed.scores.keys() or (answer.comment and not claimed.comment):
            # Other questions are answered now, or there is a comment, which asks for a look at the conversation first:
            # nothing was sent yet, so begin anew.
            self._records.again(turn.claim, timedelta())
            return False
        rating_id = next(offer.rating_id for offer in turn.record.offers if offer.rating is rating)
        is_first = rating is next(iter(answer.scores))

        def submit() -> bool:
            self._dixa.submit(
                slot,
                turn.record.conversation_id,
                rating_id,
                rating=rating,
                score=answer.scores[rating],
                comment=answer.comment if is_first else "",
                submitted_at=answer.answered_at,
            )
            return True

        try:
            done = is_there or self._attempt(turn, submit)
        except Refused:
            # Refusing may be how Dixa says that it has the result already: look before giving up.
            done = self._is_rated(turn, rating)
            if not done:
                if not self._is_erased(turn):
                    raise
                self._erase(turn)
        if done:
            self._write_submitted(turn, rating, answer)
        return bool(done)

    def _write_submitted(self, turn: Turn, rating: RatingType, answer: Answer) -> None:
        self._records.submitted(turn.claim, rating, tuple(answer.scores))
        log.info("result.submitted", rating=rating)

    def _look_for_result(self, turn: Turn, progress: AnswerProgress, call: Call) -> None:
        """Find out what became of a call whose answer is lost: it is rated by now, or it never will be."""
        if not self._is_settled(turn, call):
            return
        if self._is_rated(turn, call.rating):
            self._write_submitted(turn, call.rating, progress.answer)
            self._records.reschedule(turn.claim, timedelta(), failed=False)
        else:
            self._records.again(turn.claim, self._pause(turn))
            log.info("result.not_submitted")

    def _is_rated(self, turn: Turn, rating: RatingType) -> bool:
        ours = {offer.rating_id for offer in turn.record.offers if offer.rating is rating}
        found = self._ratings(turn)
        return any(each.id in ours and each.type == rating and each.status == "Rated" for each in found)


def _tried_since(record: Record, progress: AnswerProgress) -> datetime:
    """Return when it was to be submitted first, at the latest: the customer may have been given more time."""
    hold = (record.terms or Survey()).held_for(is_suspect=progress.is_suspect)
    return progress.revived_at or progress.answer.answered_at + max(hold, MAX_EXTENSION)
