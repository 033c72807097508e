"""Transitions of the offer journey: from a close to a link with the customer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from service.records.codec import dump_close, write_decision
from service.records.outcomes import Outcome
from service.records.terms_codec import store_terms
from service.records.transitions import Transitions, refuse_stale
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Change, Claim, Close, Decision, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict

_SENT_COUNT_RETENTION: Final = timedelta(days=2)
"""The count for `daily_cap` is needed until its day (UTC) has ended."""
_REOPEN_GRACE: Final = timedelta(minutes=2)
"""Our own message may reopen its conversation. Dixa dates that within this time."""


class OfferTransitions(Transitions):
    """The transitions of the offer journey."""

    def accept(
        self,
        close: Close,
        candidates: Sequence[Survey],
        reason: Reason | None = None,
        mismatches: Sequence[RuleMismatch] = (),
        *,
        is_spooled: bool = False,
    ) -> tuple[Outcome, str]:
        """Create the record of a close. It waits for the shortest delay, or is skipped for a reason.

        Return the outcome, and the id of the survey.

        `is_spooled`: it waited in a spool. After a long outage many do, so the relay queues them in turn.
        """
        terms = candidates[0] if candidates else None
        stored = [store_terms(survey) for survey in candidates]
        outcome, survey_id = self._run_for_conversation(
            "accept",
            close.conversation_id,
            [self._queue_key, *(self._terms_key(each.name) for each in stored)],
            close.conversation_id,
            dump_close(close),
            close.closed_at,
            min((survey.delay for survey in candidates), default=timedelta()),
            reason,
            self.lifetime(terms),
            close.email,
            write_decision(mismatches) if mismatches else None,
            max((survey.on_reclose for survey in candidates), key=[*OnReclose].index, default=OnReclose.NEVER),
            close.event_id,
            is_spooled,
            close.found_by,
            *(each.text for each in stored),
        )
        return Outcome(outcome), survey_id

    def cancel(self, change: Change, state: OfferState, reason: Reason) -> Outcome:
        """End a survey that is waiting or deciding as cancelled or skipped. End a reminder that isn't sent yet."""
        number = change.conversation_id
        given = (number, state, reason, change.happened_at, self.lifetime(None), _REOPEN_GRACE)
        return Outcome(self._run_for_conversation("cancel", number, (), *given))

    def decide(
        self,
        claim: Claim,
        decision: Decision,
        language: str = "",
        *,
        person: Sequence[str] = (),
        cooldown_retention: timedelta = timedelta(),
        max_earlier: int = 0,
    ) -> tuple[Verdict, str]:
        """Write the decision. Return the final verdict and reason.

        The verdict `ask` takes the customer's cooldown slots. If one is taken, the survey is skipped.
        A slot names up to `max_earlier` surveys before this one.
        """
        terms = decision.survey or claim.record.terms or Survey()
        stored = store_terms(terms)
        day = claim.at.date()
        keys = [
            self._key(claim.record.survey_id),
            self._due(Journey.OFFER),
            self._decisions_key(day),
            f"{self._prefix}asks:{day}:{terms.name}",
            self._terms_key(stored.name),
            *(f"{self._prefix}asked:{trait}" for trait in person),
        ]
        verdict, reason = self._run_script(
            "decide",
            keys,
            claim.fence,
            decision.verdict,
            decision.reason,
            language,
            self.lifetime(terms),
            write_decision(decision.mismatches, decision.facts, claim.record.close),
            stored.text if decision.survey else "",
            decision.due_at,
            terms.cooldown,
            max(cooldown_retention, terms.cooldown, timedelta(milliseconds=1)),
            terms.daily_cap,
            _SENT_COUNT_RETENTION,
            max_earlier,
        )
        refuse_stale(verdict)
        return Verdict(verdict), reason

    def offered(self, claim: Claim, rating: RatingType, rating_id: str) -> None:
        """Record the id of Dixa's offer."""
        wanted = claim.record.terms.ratings if claim.record.terms else (rating,)
        self._step("offered", claim, claim.fence, rating, rating_id, *wanted)

    def begin_delivery(self, claim: Claim, channel: str) -> None:
        """Record the start of a delivery by a channel."""
        self._step("begin_delivery", claim, claim.fence, channel, confirm=True)

    def extend_lease(self, survey_id: str) -> bool:
        """Extend the lease for as long as a mail may take. Return False if the lease has ended."""
        return Outcome(self._run("extend_lease", Journey.OFFER, survey_id, self._max_lease)) is Outcome.EXTENDED

    def begin_email(self, survey_id: str) -> bool:
        """Record the handover of a mail before it happens. Return False if the mail may be out already."""
        with self._undone_if_unconfirmed(lambda: self._run("email_not_begun", Journey.OFFER, survey_id)):
            return Outcome(self._run("begin_email", Journey.OFFER, survey_id, confirm=True)) is Outcome.BEGUN

    def delivery_failed(self, claim: Claim, channel: str, *, for_good: bool) -> None:
        """Record a certain failure of a channel. `for_good`: it isn't tried again."""
        self._step("delivery_failed", claim, claim.fence, channel, for_good)

    def delivered(self, claim: Claim, note: str = "") -> None:
        """Record the delivery of the link, with an optional note."""
        terms = claim.record.terms
        self._step("delivered", claim, claim.fence, self.lifetime(terms), note, terms.reminder if terms else None)

    def reminded(self, claim: Claim, note: str = "") -> None:
        """Record the delivery of the reminder, or in the note why none is sent."""
        self._step("reminded", claim, claim.fence, self.lifetime(claim.record.terms), note)
