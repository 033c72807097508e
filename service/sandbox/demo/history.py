"""Writes invented days through the real intake, rules and transitions, with the time of each step given."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from service.intake.intake import Intake
from service.records.answer_transitions import GivenAnswer
from service.records.redis import connect
from service.rules.identity import Identities
from service.sandbox.demo.clock import TimedRecords
from service.sandbox.demo.days import Invented, InventedAnswer, invent
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import UNCONFIRMED, Claim, Decision, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict
from service.surveys.toml.loader import read_surveys

DEMO_SURVEYS: Final = Path(__file__).with_name("surveys.toml")

_SECOND: Final = timedelta(seconds=1)
_LEASE: Final = timedelta(seconds=10)
_MAIL_CHANNELS: Final = ("Email", "ContactForm")


class History:
    """The steps of all surveys, in the order of their times."""

    def __init__(
        self, records: TimedRecords, surveys: Sequence[Survey], identities: Identities, until: datetime
    ) -> None:
        self._records = records
        self._intake = Intake(records, surveys, None, identities)
        self._until = until
        self._steps: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()

    def write(self, days: Iterable[Invented]) -> None:
        """Write all days. What comes after the end of them stays due."""
        for each in days:
            self._plan(each.close.closed_at + _SECOND, partial(self._close, each))
        while self._steps and self._steps[0][0] < self._until:
            moment, _, step = heappop(self._steps)
            self._records.at(moment)
            step()
        self._records.forget_clock()

    def _plan(self, moment: datetime, step: Callable[[], None]) -> None:
        heappush(self._steps, (moment, next(self._order), step))

    def _close(self, each: Invented) -> None:
        self._intake.take_close(each.close)
        record = self._records.load(str(each.close.conversation_id))
        if record and record.offer.due_at:
            self._plan(record.offer.due_at + _SECOND, lambda: self._decide(each))

    def _decide(self, each: Invented) -> None:
        claim = self._records.claim(Journey.OFFER, str(each.close.conversation_id))
        if claim is None:
            return
        if each.fails:
            self._records.fail(claim, each.fails)
            return
        survey = claim.record.candidates[0]
        decision = _decide(claim, survey, each)
        person = claim.record.close.person if claim.record.close else ()
        verdict, _ = self._records.decide(claim, decision, each.language, person=person)
        if verdict is Verdict.ASK:
            self._deliver(each, claim, survey)

    def _deliver(self, each: Invented, claim: Claim, survey: Survey) -> None:
        for number, rating in enumerate(survey.ratings):
            self._records.begin_call(claim, rating, (), _LEASE)
            self._records.offered(claim, rating, f"demo-{each.close.conversation_id}-{number}")
        is_mailed = "email" in survey.deliver and each.close.channel in _MAIL_CHANNELS
        self._records.begin_delivery(claim, "email" if is_mailed else "message")
        self._records.delivered(claim, UNCONFIRMED if each.is_unconfirmed else "")
        record = self._records.load(claim.record.survey_id)
        if record is None or record.offer.delivered_at is None:
            return
        if record.offer.due_at:
            self._plan(record.offer.due_at + _SECOND, lambda: self._remind(record.survey_id))
        if each.answer:
            answer = each.answer
            self._plan(record.offer.delivered_at + answer.after, lambda: self._answer(record.survey_id, each, answer))

    def _remind(self, survey_id: str) -> None:
        claim = self._records.claim(Journey.OFFER, survey_id)
        if claim and claim.record.offer.state is OfferState.REMINDING:
            self._records.reminded(claim)

    def _answer(self, survey_id: str, each: Invented, answer: InventedAnswer) -> None:
        record = self._records.load(survey_id)
        if record is None or record.terms is None:
            return
        scores = {rating: _score(rating, answer.quality) for rating in record.terms.ratings}
        given = GivenAnswer(
            Link.to(record), record.terms, scores, answer.comment, each.language, is_suspect=answer.is_suspect
        )
        self._records.save_answer(given)
        answered = self._records.load(survey_id)
        if answered and answered.answer and answered.answer.due_at:
            self._plan(answered.answer.due_at + 2 * _SECOND, lambda: self._submit(survey_id, answer))

    def _submit(self, survey_id: str, answer: InventedAnswer) -> None:
        claim = self._records.claim(Journey.ANSWER, survey_id)
        if claim is None:
            return
        if answer.fails:
            self._records.fail(claim, answer.fails)
            return
        answered = [*claim.record.answered.scores]
        for rating in answered:
            self._records.begin_call(claim, rating, (), _LEASE)
            self._records.submitted(claim, rating, answered)


def _decide(claim: Claim, survey: Survey, each: Invented) -> Decision:
    facts = {"channel": each.close.channel or "", "state": "Closed", "language": each.language}
    if each.against is None:
        return Decision(Verdict.ASK, None, survey, claim.record.mismatches, facts)
    mismatches = claim.record.mismatches
    if each.against is Reason.FEW_CUSTOMER_MESSAGES:
        if not survey.match.min_customer_messages:
            return Decision(Verdict.ASK, None, survey, mismatches, facts)
        mismatches = (*mismatches, RuleMismatch(survey.name, each.against, "min_customer_messages", "0"))
    verdict = Verdict.CANCEL if each.against is Reason.REOPENED else Verdict.SKIP
    return Decision(verdict, each.against, survey, mismatches, facts)


def _score(rating: RatingType, quality: float) -> int:
    scores = rating.scores
    return scores[min(int(quality * len(scores)), len(scores) - 1)]


def fill(redis_url: str, surveys_file: Path, secret_keys: Sequence[str], days: int = 90, a_day: int = 90) -> None:
    """Write invented days, up to now, into the Redis of an installation that has not begun to work."""
    client = connect(redis_url)
    records = TimedRecords(client, keep=timedelta(days=days))
    until = datetime.now(UTC)
    log_level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=log_level)
    # A disk that is asked after each of a hundred thousand writes would take minutes.
    client.config_set("appendfsync", "no")
    History(records, read_surveys(surveys_file).surveys, Identities(secret_keys), until).write(
        invent(until, days, a_day)
    )
    client.config_set("appendfsync", "always")
    client.close()
