"""The reminder: a second message through the same channel, if the customer has not answered."""

from dataclasses import replace

import structlog

from service.journeys.attempt import Attempt
from service.journeys.delivery import LinkSender, opens_in
from service.journeys.next_step import Done, Next, Wait
from service.records.outcomes import StaleClaim
from service.rules.decision import has_news
from service.rules.send_window import next_opening
from service.surveys.errors import NotDelivered, NotNow, OutcomeUnknown, Refused, Unconfirmable
from service.surveys.model import UNCONFIRMED, Record
from service.surveys.ports import Delivery
from service.surveys.states import OfferState

log = structlog.get_logger()


class Reminder:
    """Sends a survey's one reminder."""

    def __init__(self, sender: LinkSender) -> None:
        self._sender = sender
        self._records = sender.records

    def send(self, attempt: Attempt) -> Next:
        """Send the reminder, unless it is no longer right or its channel takes none."""
        record = attempt.record
        if self._records.is_recovering(attempt.timings.recovery_wait):
            # A spool may hold an answer, and Redis not yet.
            return Wait(attempt.timings.recovery_wait)
        if wait := opens_in(record, attempt.at):
            return Wait(wait)
        try:
            return self._remind(attempt)
        except OutcomeUnknown as error:
            log.warning("call.lost", problem=str(error))
            return Wait(attempt.reconcile_backoff(), is_failure=True)
        except NotDelivered as error:
            log.warning("delivery.unavailable", problem=str(error))
            self._records.delivery_failed(attempt.claim, record.offer.channel, for_good=False)
            return Wait(attempt.reconcile_backoff(), is_failure=True)
        except Refused as error:
            return self._finish(attempt, f"no reminder: {error}")
        except Unconfirmable as error:
            log.warning("delivery.unconfirmed", channel=record.offer.channel, problem=str(error))
            return self._finish(attempt, UNCONFIRMED)

    def _remind(self, attempt: Attempt) -> Next:
        delivery = self._sender.deliveries.get(attempt.record.offer.channel)
        if delivery is None or not delivery.sends_reminders:
            return self._finish(attempt, "no reminder by this channel")
        obstacle = self._find_obstacle(attempt, delivery)
        if not obstacle:
            self._hand_over(attempt, delivery)
        return self._finish(attempt, obstacle)

    def _finish(self, attempt: Attempt, note: str) -> Done:
        self._records.reminded(attempt.claim, note)
        if note and note != UNCONFIRMED:
            log.info("survey.not_reminded", problem=note)
        else:
            log.info("survey.reminded", channel=attempt.record.offer.channel)
        return Done()

    def _find_obstacle(self, attempt: Attempt, delivery: Delivery) -> str:
        """Return why the customer must not be reminded; empty if nothing speaks against it."""
        record = attempt.record
        if _is_too_late(attempt):
            return "too late for the reminder"
        if not _is_unanswered(record):
            return "no reminder: answered"
        self._sender.require_channel(record)
        conversation = attempt.conversation()
        may_be_open = record.latest_close is not None or conversation.state not in (None, "Closed")
        # Our own message may have opened the conversation; only a message from the customer counts.
        if may_be_open and has_news(attempt.messages(), record.offer.delivered_at or record.accepted_at):
            return "no reminder: the customer is in touch again"
        if not delivery.can_reach(replace(record, open_until=conversation.open_until)):
            return "no reminder: the channel takes no message any more"
        return "no reminder: opted out" if self._sender.suppression.has_opted_out(record, conversation) else ""

    def _hand_over(self, attempt: Attempt, delivery: Delivery) -> None:
        """Hand the reminder over, unless it has arrived already. Raises StaleClaim if the customer has answered."""
        record = attempt.record
        now = self._records.load(record.survey_id)
        if now is None or now.offer.state is not OfferState.REMINDING or not _is_unanswered(now):
            raise StaleClaim("answered")
        if wait := self._sender.acquire(delivery, record):
            raise NotNow("the channel is down", wait)
        if not delivery.reconcile(record, attempt.deadline):
            self._sender.hand_over(attempt, delivery)


def _is_too_late(attempt: Attempt) -> bool:
    terms, delivered_at = attempt.record.terms, attempt.record.offer.delivered_at
    if terms is None or terms.reminder is None or delivered_at is None:
        return False
    due_at, expires = next_opening(terms.send_window, delivered_at + terms.reminder), terms.expires
    within = attempt.timings.offer_max_age
    return attempt.is_late(within, lambda longest: attempt.at > due_at + min(longest, expires))


def _is_unanswered(record: Record) -> bool:
    """Return whether there is no answer, or only a suspect one that isn't final: it may be a machine's."""
    return record.answer is None or record.answer.is_provisional
