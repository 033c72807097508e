"""The one reminder: to who has not answered, by the channel that brought the link, unless it is no longer right."""

from dataclasses import replace

import structlog

from service.journeys.delivery import Delivering, name_channel
from service.journeys.runner import Turn
from service.records.transitions import StaleClaim
from service.rules.decision import has_news
from service.rules.send_window import next_opening
from service.surveys.errors import NotDelivered, NotNow, OutcomeUnknown, Refused, Unconfirmable
from service.surveys.model import UNCONFIRMED, OfferState, Record
from service.surveys.ports import Delivery

log = structlog.get_logger()


class Reminding(Delivering):
    """The part of the offer's journey that comes long after the delivery, if the survey's terms want it."""

    def _remind(self, turn: Turn) -> None:
        """Send the one reminder, unless it is no longer right or the channel isn't one to remind by."""
        record = turn.record
        if self._must_not_remind_yet(turn):
            return
        delivery = self._deliveries.get(record.offer.channel)
        try:
            problem = self._reason_not_to_remind(turn, record, delivery)
            if delivery and not problem:
                self._send(turn, record, delivery)
        except (OutcomeUnknown, NotDelivered) as error:
            log.warning(
                "dixa.unknown" if isinstance(error, OutcomeUnknown) else "delivery.unavailable", problem=str(error)
            )
            if isinstance(error, NotDelivered):
                self._records.undelivered(turn.claim, record.offer.channel, for_good=False)
            self._records.reschedule(turn.claim, max(self._timings.reconcile_after, self._pause(turn)), failed=True)
            return
        except Refused as error:
            problem = f"no reminder: {error}"
        except Unconfirmable as error:
            problem = UNCONFIRMED
            log.warning("delivery.unconfirmed", channel=record.offer.channel, problem=str(error))
        self._records.reminded(turn.claim, problem)
        if problem and problem != UNCONFIRMED:
            log.info("survey.not_reminded", problem=problem)
        else:
            log.info("survey.reminded", channel=record.offer.channel)

    def _send(self, turn: Turn, record: Record, delivery: Delivery) -> None:
        self._insist_on_silence(record)
        if wait := self._channels.begin(name_channel(delivery.name, record.terms), record.survey_id):
            raise NotNow("the channel is down", wait)
        if not delivery.reconcile(record, turn.deadline):
            self._hand_over(turn, record, delivery)

    def _must_not_remind_yet(self, turn: Turn) -> bool:
        """Come back when the window is open, or when every answer that waits in a spool has been brought home."""
        if self._records.is_recovering(self._timings.recovery_wait):
            self._records.reschedule(turn.claim, self._timings.recovery_wait, failed=False)
            return True
        return self._is_outside_window(turn, [turn.record.terms] if turn.record.terms else [])

    def _reason_not_to_remind(self, turn: Turn, record: Record, delivery: Delivery | None) -> str:
        if delivery is None or not delivery.reminds:
            return "no reminder by this channel"
        if self._is_too_late_to_remind(turn, record):
            return "too late for the reminder"
        return self._reason_for_silence(turn, record, delivery) if _is_silent(record) else "no reminder: answered"

    def _reason_for_silence(self, turn: Turn, record: Record, delivery: Delivery) -> str:
        """Ask Dixa whether the customer is still to be reminded. Raises NotNow, unasked, while the channel is down."""
        self._insist_on_channels(record)
        conversation = self._dixa.conversation(self._slot(turn), record.conversation_id)
        if conversation.is_erased:
            self._erase(turn)
            raise StaleClaim("erased")
        may_be_back = record.latest_close is not None or conversation.state not in (None, "Closed")
        if may_be_back and self._is_in_touch(turn, record):
            return "no reminder: the customer is in touch again"
        if not delivery.can_reach(replace(record, open_until=conversation.open_until)):
            return "no reminder: the channel takes no message any more"
        return "no reminder: opted out" if self._has_stopped(record, conversation) else ""

    def _is_too_late_to_remind(self, turn: Turn, record: Record) -> bool:
        terms, delivered_at = record.terms, record.offer.delivered_at
        if terms is None or terms.reminder is None or delivered_at is None:
            return False
        wanted_at = next_opening(terms.window, delivered_at + terms.reminder)
        expires, within = terms.expires, self._timings.offer_max_age
        return self._is_late(turn, within, lambda longest: turn.claim.at > wanted_at + min(longest, expires))

    def _insist_on_silence(self, record: Record) -> None:
        """Raise StaleClaim if the customer has answered since this claim began: Dixa was asked meanwhile."""
        now = self._records.load(record.survey_id)
        if now is None or now.offer.state is not OfferState.REMINDING or not _is_silent(now):
            raise StaleClaim("answered")

    def _is_in_touch(self, turn: Turn, record: Record) -> bool:
        """Say whether the customer has written since: a conversation that our own message has opened is no news."""
        messages = self._dixa.messages(self._slot(turn), record.conversation_id)
        return has_news(messages, record.offer.delivered_at or record.accepted_at)


def _is_silent(record: Record) -> bool:
    """Say whether the customer hasn't answered: a suspect answer may be a machine's, as long as it isn't final."""
    return record.answer is None or record.answer.is_provisional
