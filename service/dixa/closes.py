"""The closes that Dixa has, to compare with the records: by the delivery log, by search, and by the activity log."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Final

import structlog

from config.settings import Settings
from service.dixa.client import DixaClient
from service.dixa.close_lookup import CloseLookup
from service.dixa.events import load_event
from service.dixa.low_priority import LowPriorityDixa
from service.dixa.payloads import PayloadError
from service.dixa.subscription_filter import passes
from service.dixa.subscriptions import CLOSED_EVENTS, PATH, LoggedDelivery, Subscription, is_known
from service.intake.missed import SeenClose
from service.surveys.errors import Refused
from service.surveys.model import Close
from service.surveys.states import FoundBy

log = structlog.get_logger()

_LONG: Final = timedelta(hours=1)
"""From this length on, the activity log is read, too: it has the time of each close, not only the last of each
conversation."""
_CLOSED, _ABANDONED = CLOSED_EVENTS


class DixaCloses:
    """Dixa's side of the search for missed closes. Each method raises a CallError unless it succeeds."""

    def __init__(self, settings: Settings, dixa: DixaClient, low_priority: LowPriorityDixa) -> None:
        self._keys = settings.webhook_secrets
        self._url = f"{settings.public_url}{PATH}"
        self._dixa = dixa
        self._low_priority = low_priority
        self._lookup = CloseLookup(dixa, low_priority, settings.surveys)

    @cached_property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The enabled subscriptions for closes, signed with one of our keys or sent to our address.

        With a wrong key at our address, every webhook is refused, and each close is missed.
        """
        try:
            found = self._low_priority.call(self._dixa.subscriptions)
        except Refused:
            return ()
        enabled = (each for each in found if each.enabled and not each.events.isdisjoint(CLOSED_EVENTS))
        return tuple(each for each in enabled if each.url == self._url or is_known(each, self._keys))

    def problem(self) -> str:
        """Return why no webhook can be missed: there is no subscription. Empty if there is one."""
        if self.subscriptions:
            return ""
        return (
            f"Dixa shows no enabled webhook subscription for closes, to {self._url} or with one of DIXA_WEBHOOK_SECRETS"
        )

    def seen(self, since: datetime, until: datetime) -> Iterator[Sequence[SeenClose]]:
        """Yield the closes between two times, page by page."""
        for subscription in self.subscriptions:
            for event in sorted(subscription.events.intersection(CLOSED_EVENTS)):
                query = partial(self._dixa.delivery_log, subscription_id=subscription.id, event=event)
                closes = [*filter(None, map(_load_logged, self._low_priority.call(query)))]
                yield [
                    SeenClose(each.conversation_id, each.closed_at, each)
                    for each in closes
                    if since <= each.closed_at <= until
                ]
        for page in self._low_priority.search(since, until):
            yield [SeenClose(number) for number in page.ids]
        if until - since >= _LONG:
            yield from self._activities(since, until)

    def facts(self, seen: SeenClose) -> Close | None:
        """Return a close with all facts.

        None if the conversation is open again or anonymised, or if a filter of the subscription leaves it out.
        """
        if seen.close:
            return seen.close if seen.close.user_type else self._lookup.with_requester(seen.close)
        close = self._lookup.close(self._lookup.conversation(seen.conversation_id), FoundBy.SEARCH)
        return close if close and self._is_subscribed(close) else None

    def _activities(self, since: datetime, until: datetime) -> Iterator[Sequence[SeenClose]]:
        query = partial(self._dixa.logged_closes, since=since, until=until)
        key: str | None = None
        while True:
            page, next_key = self._low_priority.call(partial(query, page_key=key))
            yield [SeenClose(number, at) for number, at in page]
            if next_key in (None, key):
                return
            key = next_key

    def _is_subscribed(self, close: Close) -> bool:
        """Return whether Dixa has sent the webhook of this close. Without a subscription, an operator wants all."""
        event = _CLOSED if close.agent_id else _ABANDONED
        return not self.subscriptions or any(
            event in each.events and passes(each.filters, close) for each in self.subscriptions
        )


def _load_logged(delivery: LoggedDelivery) -> Close | None:
    try:
        event = load_event(delivery.payload.encode(), delivery.at or datetime.now(UTC))
    except PayloadError as error:
        log.warning("delivery_log.unreadable", problem=str(error))
        return None
    return event.close and replace(event.close, found_by=FoundBy.DELIVERY_LOG)
