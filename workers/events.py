"""Sends the events of surveys to the operator's receiver, in a thread of each worker. Nothing else waits for it."""

from datetime import timedelta
from typing import Final

import structlog

from config.settings import Settings
from service.delivery.events import EventWebhooks, in_order
from service.records.background import BackgroundLoop, LogEvents
from service.records.channels import EVENTS, Channels
from service.records.due_events import DueEvents
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.surveys.errors import CallError, ChannelDown, NotNow
from service.surveys.model import Record
from service.surveys.ports import Deadline

log = structlog.get_logger()

_INTERVAL: Final = timedelta(seconds=2)
CALL_BUDGET: Final = timedelta(seconds=5)
"""For one request, from the connection to the end of the response's head."""
_TAKE_BUDGET: Final = timedelta(seconds=45)
"""For the surveys of a take: less than their lease, with the last request."""
MAX_AGE: Final = timedelta(days=3)
_ANY_SURVEY: Final = "-"
_MIN_WAIT, _MAX_WAIT = timedelta(seconds=5), timedelta(minutes=15)


class EventLoop:
    """Runs in the thread of `loop`. A failure loses nothing: the events stay in the records."""

    def __init__(self, webhooks: EventWebhooks, due: DueEvents, channels: Channels) -> None:
        self._webhooks = webhooks
        self._due = due
        self._channels = channels
        self.call_budget = CALL_BUDGET
        self.loop = BackgroundLoop(
            self.step,
            _INTERVAL,
            LogEvents("events.failed", "events.recovered", "events.broken"),
            describe=lambda error: str(error) if isinstance(error, RecordsUnavailable) else "",
        )

    def start(self) -> None:
        """Begin at once."""
        self.loop.wake()
        self.loop.start("events")

    def stop(self) -> None:
        """End after the current request."""
        self.loop.stop()

    def step(self) -> timedelta | None:
        """Send the events of the next surveys. Return zero if more are due."""
        if self._channels.wait(EVENTS, _ANY_SURVEY):
            return None
        survey_ids = self._due.take()
        if not survey_ids:
            return None
        deadline = Deadline(_TAKE_BUDGET)
        records = {record.survey_id: record for record in self._due.load_all(survey_ids)}
        self._due.forget([each for each in survey_ids if each not in records])
        for survey_id in survey_ids:
            if survey_id in records and not self._send_all(records[survey_id], deadline):
                return None
        return timedelta()

    def _send_all(self, record: Record, deadline: Deadline) -> bool:
        """Send the events of a survey in order. Return whether the receiver may get those of another one."""
        if wait := self._channels.begin(EVENTS, record.survey_id):
            self._due.finish(record, (), wait)
            return True
        now, done = self._due.now(), list[str]()
        for name in in_order(record.unsent_events):
            at = record.unsent_events[name]
            if now - at > MAX_AGE:
                log.error("event.given_up", survey_id=record.survey_id, event_name=name)
            elif not deadline.remaining() or not self._send(record, name):
                # The events after it wait, too. So they arrive in order.
                self._due.finish(record, done, min(max(now - at, _MIN_WAIT), _MAX_WAIT))
                return not self._channels.wait(EVENTS, _ANY_SURVEY) and bool(deadline.remaining())
            done.append(name)
        self._due.finish(record, done)
        return True

    def _send(self, record: Record, name: str) -> bool:
        try:
            self._webhooks.send(record, name, Deadline(self.call_budget))
        except NotNow:
            return False
        except CallError as error:
            log.warning("event.not_sent", survey_id=record.survey_id, event_name=name, problem=str(error))
            is_certain = isinstance(error, ChannelDown)
            self._channels.failed(EVENTS, record.survey_id, str(error), is_certain=is_certain)
            return False
        self._channels.works(EVENTS, record.survey_id)
        log.info("event.sent", survey_id=record.survey_id, event_name=name)
        return True


def open_event_loop(settings: Settings, records: Records) -> EventLoop:
    """Make the loop. Raises LookupError without EVENTS_WEBHOOK_URL."""
    if settings.events_webhook is None:
        raise LookupError("EVENTS_WEBHOOK_URL is not set")
    webhooks = EventWebhooks(settings.events_webhook, has_comments=settings.events_comments)
    return EventLoop(webhooks, DueEvents.beside(records), Channels.beside(records))
