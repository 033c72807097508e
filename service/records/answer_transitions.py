"""Transitions of the answer journey and of the follow-up: from a customer's answer to its result and its actions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.records.codec import from_ms
from service.records.outcomes import Outcome
from service.records.terms_codec import store_terms
from service.records.transitions import Transitions
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Claim
from service.surveys.ratings import RatingType
from service.surveys.states import ActionState, Journey

MAX_EXTENSION: Final = timedelta(hours=1)
"""How long after the first answer its result may be delayed by changes and extra time, if `editable_for` is shorter."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A new answer. A blank comment keeps the earlier one, None removes it. A suspect one may be a machine's."""

    link: Link
    terms: Survey
    scores: Mapping[RatingType, int]
    comment: str | None
    language: str
    is_suspect: bool = False


class AnswerTransitions(Transitions):
    """The transitions of the answer journey and of the follow-up."""

    def save_answer(self, answer: GivenAnswer, answered_at: datetime | None = None) -> Outcome:
        """Save a customer's answer. It is editable for as long as the terms say.

        `answered_at` is now, except for an answer from a spool. An answer that replaces another restarts the time, up
        to MAX_EXTENSION or the editable time after the first, whichever is longer.
        """
        link, terms, editable_for = answer.link, answer.terms, answer.terms.editable_time(is_suspect=answer.is_suspect)
        stored = store_terms(terms)
        due_keys = map(self._due, (Journey.ANSWER, Journey.OFFER, Journey.FOLLOW_UP))
        outcome = self._run_script(
            "save_answer",
            [self._key(link.survey_id), *due_keys, self._queue_key, self._terms_key(stored.name)],
            link.survey_id,
            link.conversation_id,
            stored.text,
            editable_for,
            answer.comment,
            answer.language,
            answered_at,
            json.dumps({offer.rating: offer.rating_id for offer in link.offers}),
            json.dumps(dict(answer.scores)),
            answer.is_suspect,
            max(editable_for, MAX_EXTENSION),
            answer.comment is None,
            self.lifetime(terms),
            confirm=True,
        )
        return Outcome(outcome)

    def extend(self, survey_id: str, terms: Survey) -> datetime | None:
        """Keep an answer editable for `terms.extend` from now, up to MAX_EXTENSION after the first one.

        Return the new end, or None if the answer is final.
        """
        outcome, until = self._run("extend", Journey.ANSWER, survey_id, terms.extend, MAX_EXTENSION, confirm=True)
        return from_ms(until) if Outcome(outcome) is Outcome.EXTENDED else None

    def submitted(self, claim: Claim, rating: RatingType, answered: Sequence[RatingType]) -> None:
        """Record Dixa's result for one of the `answered` rating types."""
        terms = claim.record.terms
        retry_time = self._retry_time(Journey.FOLLOW_UP, terms)
        self._step("submitted", claim, claim.fence, rating, self.lifetime(terms), retry_time, *answered)

    def set_action(
        self,
        claim: Claim,
        action: str,
        state: ActionState,
        problem: str = "",
        sent_scores: Mapping[RatingType, int] | None = None,
    ) -> bool:
        """Write the state of an action. Return False if it was to begin and has begun before: it may have happened.

        `sent_scores` are the scores in an alert, kept for a correction.
        """
        scores = json.dumps(dict(sent_scores)) if sent_scores else ""
        begins = state is ActionState.BEGUN
        with self._undone_if_unconfirmed(lambda: self.set_action(claim, action, ActionState.WAITING)):
            outcome = self._step("set_action", claim, claim.fence, action, state, problem, scores, confirm=begins)
        return outcome != Outcome.BEGUN_BEFORE

    def followed(self, claim: Claim) -> None:
        """End a follow-up whose actions are all done."""
        self._step("followed", claim, claim.fence, self.lifetime(claim.record.terms))
