"""Runs a journey: claims a survey, lets the journey take its steps, and writes their outcome."""

from datetime import timedelta
from typing import Protocol

import structlog

from config.settings import Timings
from service.journeys.attempt import NOT_FOUND, Attempt
from service.journeys.next_step import CallFailed, CallLost, Done, Erase, Fail, Next, Wait
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.errors import ConversationErased, Forbidden, NotNow, Refused, RetryLater
from service.surveys.ports import Deadline, Dixa
from service.surveys.reasons import Reason
from service.surveys.states import Journey

log = structlog.get_logger()


class Steps(Protocol):
    """One of the journeys: offer, answer, follow-up."""

    journey: Journey
    max_wait: timedelta
    """How long a claim waits for its first slot. Answers wait longer than offers, so they go first."""

    def advance(self, attempt: Attempt) -> Next:
        """Take the due steps. Return the outcome for the runner to write.

        May raise StaleClaim, ConversationErased, and RetryLater or Refused for a call without `begin_call`.
        """


class JourneyRunner:
    """Works on one claim at a time. Only here a journey is rescheduled or fails."""

    def __init__(self, steps: Steps, records: Records, dixa: Dixa, timings: Timings) -> None:
        self.journey = steps.journey
        self._steps = steps
        self._records = records
        self._dixa = dixa
        self._timings = timings

    def run(self, survey_id: str) -> timedelta | None:
        """Work on a survey if it is due and not claimed by another worker. Raises RecordsUnavailable.

        Return how soon it is due again, if that is known.
        """
        claim = self._records.claim(self.journey, survey_id)
        if claim is None:
            return None
        conversation_id = claim.record.conversation_id
        deadline = Deadline(self._timings.step_budget, conversation_id)
        attempt = Attempt(claim, deadline, self._dixa, self._timings, self._steps.max_wait)
        with structlog.contextvars.bound_contextvars(survey_id=survey_id, conversation_id=conversation_id):
            try:
                return self._write(attempt, self._advance(attempt))
            except StaleClaim as error:
                # Another worker goes on. If the claim is still ours, the answer was changed, the lease is nearly over,
                # or no script knows this state: try ever more rarely.
                log.info("claim.stale", journey=self.journey, outcome=str(error))
                backoff = attempt.backoff()
                self._records.reschedule(claim, backoff, failed=True)
                return backoff

    def _advance(self, attempt: Attempt) -> Next:
        """Let the journey take its steps. Translate the errors of its calls."""
        try:
            return self._steps.advance(attempt)
        except ConversationErased:
            return Erase()
        except NotNow as error:
            return Wait(error.retry_in or timedelta())
        except RetryLater as error:
            log.warning("call.failed", journey=self.journey, problem=str(error))
            return Wait(attempt.backoff(error), is_failure=True)
        except Forbidden as error:
            if not attempt.may_be_allowed():
                return Fail(Reason.FORBIDDEN, str(error))
            log.warning("call.forbidden", journey=self.journey, problem=str(error))
            return Wait(attempt.reconcile_backoff(), is_failure=True)
        except Refused as error:
            if wait := attempt.lag_wait(error):
                return Wait(wait)
            return Fail(Reason.NOT_FOUND if error.status == NOT_FOUND else Reason.REFUSED, str(error))

    def _write(self, attempt: Attempt, following: Next) -> timedelta | None:
        """Write the outcome. Return how soon the journey is due again."""
        claim = attempt.claim
        match following:
            case Done():
                pass
            case Wait(delay, is_failure):
                self._records.reschedule(claim, delay, failed=is_failure)
                return delay
            case CallFailed(delay, may_still_happen, is_failure):
                self._records.call_failed(claim, delay, may_still_happen=may_still_happen, failed=is_failure)
                return delay
            case CallLost():
                self._records.call_lost(claim, self._timings.reconcile_after)
                return self._timings.reconcile_after
            case Fail(reason, problem):
                self._records.fail(claim, reason)
                log.error("survey.failed", journey=self.journey, reason=reason, problem=problem)
            case Erase():
                self._records.erase(claim.record)
                log.info("survey.erased", journey=self.journey)
        return None
