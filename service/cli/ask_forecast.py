"""What becomes of a survey that an operator asks for: the worker's own rules, before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config.settings import Settings
from service.delivery.registry import open_deliveries
from service.dixa.client import DixaClient
from service.dixa.low_priority import LowPriorityDixa
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.rules.decision import DecisionInput, Lookups, decide, due_at, is_too_late
from service.rules.identity import Identities
from service.rules.matching import choose_at_close
from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close, OfferProgress, Record, RuleMismatch
from service.surveys.ports import Conversation
from service.surveys.reasons import Reason
from service.surveys.states import OfferState, Verdict

_SAME_CLOSE = timedelta(minutes=2)
"""As in accept.lua."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The survey and when it is due, or the reason against it with the rules that were not met."""

    survey: Survey | None = None
    due_at: datetime | None = None
    reason: Reason | None = None
    mismatches: tuple[RuleMismatch, ...] = ()


def find_obstacle(latest: Record | None, close: Close) -> str | None:
    """Return why a conversation can't be asked about, by its latest record, or None."""
    if latest is None:
        return None
    number, offer = latest.conversation_id, latest.offer
    if offer.reason == Reason.ERASED:
        return "It was anonymised in Dixa, and its data is deleted."
    if not _is_later(latest, close):
        if latest.answer:
            return "The customer has answered."
        if latest.offers or offer.delivered_at:
            return "The customer was asked about this close."
        if offer.state is OfferState.FAILED:
            return f"Its survey failed: {offer.reason}. To try it again: afterword retry {number}"
    is_open = offer.due_at is not None and offer.state is not OfferState.WAITING
    return "The customer is being asked now." if is_open else None


def _is_later(latest: Record, close: Close) -> bool:
    known = [each for each in (latest.close and latest.close.closed_at, latest.latest_close) if each]
    return bool(known) and close.closed_at > max(known) + _SAME_CLOSE


class Forecaster:
    """Decides like the worker, on Dixa's and Redis's present data. Writes nothing."""

    def __init__(self, settings: Settings, records: Records, dixa: DixaClient, low_priority: LowPriorityDixa) -> None:
        self._settings = settings
        self._records = records
        self._dixa = dixa
        self._call = low_priority.call
        self._opt_outs = HashedOptOuts.beside(records)
        self._identities = Identities(settings.secret_keys)
        self._deliveries = open_deliveries(settings, dixa, records)

    def forecast(
        self,
        close: Close,
        conversation: Conversation,
        surveys: Sequence[Survey],
        rounds: Sequence[Record],
        now: datetime,
    ) -> Forecast:
        """Return what will become of this close. `rounds` are the records so far, latest first."""
        choice = choose_at_close(close, surveys, self._settings.own_addresses)
        if not choice.candidates:
            return Forecast(reason=choice.reason, mismatches=choice.mismatches)
        candidates = tuple(each.for_channel(close.channel) for each in choice.candidates)
        close = replace(close, person=self._identities.hashes_of(close.requester_id, close.email, close.phone))
        record = _record_of(close, candidates, choice.mismatches, rounds, now)
        if record.earlier and all(each.on_reclose is OnReclose.NEVER for each in candidates):
            return Forecast(reason=Reason.CLOSED_AGAIN)
        moment = max(now, min(due_at(record, close, each) for each in candidates))
        number = close.conversation_id
        ratings = self._call(lambda slot: self._dixa.ratings(slot, number))
        ours = [rating_id for each in rounds for rating_id in each.rating_ids]
        given = DecisionInput(record, close, conversation, ratings, ours, moment)
        decision = decide(given, self._lookups(record, close, moment))
        survey, reason = decision.survey, decision.reason
        if survey and not reason:
            reason = self._find_suppression(survey, close, moment)
        if reason or decision.verdict not in (Verdict.ASK, Verdict.WAIT):
            return Forecast(survey, None, reason, decision.mismatches)
        return Forecast(survey, max(moment, decision.due_at or moment))

    def _lookups(self, record: Record, close: Close, moment: datetime) -> Lookups:
        number, within = close.conversation_id, self._settings.timings.offer_max_age
        return Lookups(
            tags=lambda: self._call(lambda slot: self._dixa.conversation_tags(slot, number)),
            messages=lambda: self._call(lambda slot: self._dixa.messages(slot, number)),
            is_opted_out=lambda: self._opt_outs.has(close.requester_id or "", close.person),
            is_answered=lambda: any(each.answer for each in self._records.load_rounds(number)),
            is_too_late=lambda survey: is_too_late(record, close, survey, moment, within),
            reserve_channel=self._can_reach,
        )

    def _can_reach(self, record: Record) -> bool:
        deliver = record.terms.deliver if record.terms else ()
        return any(each.can_reach(record) for name, each in self._deliveries.items() if name in deliver)

    def _find_suppression(self, survey: Survey, close: Close, moment: datetime) -> Reason | None:
        """Return the reason that decide.lua would find."""
        asked_at = self._records.asked_at(close.person)
        if asked_at and asked_at + survey.cooldown > moment:
            return Reason.ASKED_RECENTLY
        is_full = 0 < survey.daily_cap <= self._records.count_asked(survey.name, moment.date())
        return Reason.DAILY_CAP if is_full else None


def _record_of(
    close: Close,
    candidates: tuple[Survey, ...],
    mismatches: tuple[RuleMismatch, ...],
    rounds: Sequence[Record],
    now: datetime,
) -> Record:
    """Return the record as it will be when it is due."""
    latest = next(iter(rounds), None)
    return Record(
        survey_id=str(close.conversation_id),
        conversation_id=close.conversation_id,
        accepted_at=now,
        close=close,
        terms=None,
        offer=OfferProgress(OfferState.DECIDING),
        candidates=candidates,
        mismatches=mismatches,
        earlier=latest.rating_ids if latest else (),
        delivered_before=(latest.offer.delivered_at or latest.delivered_before) if latest else None,
    )
