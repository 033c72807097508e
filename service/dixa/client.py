"""The calls of Dixa's API, typed.

Source: Dixa's OpenAPI description (version beta).
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from service.dixa import schemas
from service.dixa.payloads import PayloadError
from service.dixa.subscriptions import (
    LastDelivery,
    LoggedDelivery,
    Subscription,
    dump_subscription,
    load_delivery_log,
    load_last_deliveries,
    load_subscription,
    load_subscriptions,
)
from service.dixa.transport import ORGANIZATION, Effect, Transport
from service.surveys.errors import OutcomeUnknown, RetryLater
from service.surveys.ports import Conversation, EndUser, Message, Page, Rating, Slot
from service.surveys.ratings import RatingType

Result = TypeVar("Result")


class DixaClient(Transport):
    """Each call raises RetryLater, OutcomeUnknown (commands only) or Refused unless it succeeds."""

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation:
        """`GET /conversations/{id}`."""
        return self._query(slot, f"/conversations/{conversation_id}", schemas.load_conversation)

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]:
        """`GET /conversations/{id}/ratings`."""
        return self._query(slot, f"/conversations/{conversation_id}/ratings", schemas.load_ratings)

    def offer(
        self,
        slot: Slot,
        conversation_id: int,
        rating: RatingType,
        *,
        user_id: str,
        agent_id: str | None,
        offered_at: datetime,
    ) -> str:
        """`POST /conversations/{id}/ratings/offer`. Returns the rating id."""
        sent = schemas.dump_offer(rating, user_id=user_id, agent_id=agent_id, offered_at=offered_at)
        body = self._call(slot, "command", "POST", f"/conversations/{conversation_id}/ratings/offer", sent)
        return _load(schemas.load_offer_id, body, "command")

    def submit(
        self,
        slot: Slot,
        conversation_id: int,
        rating_id: str,
        *,
        rating: RatingType,
        score: int,
        comment: str,
        submitted_at: datetime,
    ) -> None:
        """`POST /conversations/{id}/ratings/{ratingId}/submit`."""
        sent = schemas.dump_result(rating, score=score, comment=comment, submitted_at=submitted_at)
        self._call(slot, "command", "POST", f"/conversations/{conversation_id}/ratings/{rating_id}/submit", sent)

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        """`GET /conversations/{id}/messages`, oldest first."""
        return self._query(slot, f"/conversations/{conversation_id}/messages", schemas.load_messages)

    def conversation_tags(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/tags`: names."""
        return self._query(slot, f"/conversations/{conversation_id}/tags", schemas.load_conversation_tags)

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """`POST /conversations/{id}/messages`, outbound. A second one with the same `external_id` is a 400."""
        sent = schemas.dump_message(agent_id, text, external_id=external_id, kind=kind)
        self._call(slot, "command", "POST", f"/conversations/{conversation_id}/messages", sent)

    def close(self, slot: Slot, conversation_id: int, *, user_id: str) -> None:
        """`PUT /conversations/{id}/close`."""
        self._call(slot, "command", "PUT", f"/conversations/{conversation_id}/close", {"userId": user_id})

    def notes(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/notes`: texts."""
        return self._query(slot, f"/conversations/{conversation_id}/notes", schemas.load_notes)

    def add_note(self, slot: Slot, conversation_id: int, text: str) -> None:
        """`POST /conversations/{id}/notes`."""
        self._call(slot, "command", "POST", f"/conversations/{conversation_id}/notes", {"message": text})

    def tags(self, slot: Slot) -> dict[str, str]:
        """`GET /tags`: ids of the organization's active tags, by name."""
        return self._query(slot, "/tags", schemas.load_tags)

    def add_tag(self, slot: Slot, conversation_id: int, tag_id: str) -> None:
        """`PUT /conversations/{id}/tags/{tagId}`."""
        self._call(slot, "command", "PUT", f"/conversations/{conversation_id}/tags/{quote(tag_id, safe='')}")

    def closed_between(self, slot: Slot, since: datetime, until: datetime, page_key: str | None = None) -> Page:
        """`POST /search/conversations`, one page. It is a query in spite of its method."""
        path = _paged("/search/conversations", page_key)
        body = self._call(slot, "query", "POST", path, schemas.dump_search(since, until))
        return _load(schemas.load_page, body, "query")

    def queues(self, slot: Slot) -> dict[str, str]:
        """`GET /queues`: names by id."""
        return self._query(slot, "/queues", schemas.load_queues)

    def end_user(self, slot: Slot, user_id: str) -> EndUser:
        """`GET /endusers/{userId}`."""
        return self._query(slot, f"/endusers/{quote(user_id, safe='')}", schemas.load_end_user)

    def agents(self, slot: Slot, page_key: str | None = None) -> tuple[dict[str, str], str | None]:
        """`GET /agents`, one page: names by id, and the key of the next page, if any."""
        return self._query(slot, _paged("/agents", page_key), schemas.load_agents)

    def contact_points(self, slot: Slot) -> tuple[str, ...]:
        """`GET /contact-endpoints`: addresses and numbers."""
        return self._query(slot, "/contact-endpoints", schemas.load_contact_points)

    def logged_closes(
        self, slot: Slot, since: datetime, until: datetime, page_key: str | None = None
    ) -> tuple[tuple[tuple[int, datetime], ...], str | None]:
        """`GET /conversations/activitylog`, one page: the conversations closed, when, and the key of the next page."""
        between = {"fromDatetime": schemas.dump_time(since), "toDatetime": schemas.dump_time(until)}
        path = f"/conversations/activitylog?{urlencode(between | ({'pageKey': page_key} if page_key else {}))}"
        return self._query(slot, path, schemas.load_closes)

    def subscriptions(self, slot: Slot) -> tuple[Subscription, ...]:
        """`GET /webhooks`."""
        return self._query(slot, "/webhooks", load_subscriptions)

    def subscribe(self, slot: Slot, url: str, events: Collection[str], authorization: str = "") -> Subscription:
        """`POST /webhooks`."""
        sent = dump_subscription(url, events, authorization)
        return _load(load_subscription, self._call(slot, "command", "POST", "/webhooks", sent), "command")

    def change_subscription(self, slot: Slot, subscription_id: str, change: Mapping[str, Any]) -> Subscription:
        """`PATCH /webhooks/{id}`. `change` has the fields to change: `events`, `url`, `enabled`, `authorization`."""
        path = f"/webhooks/{quote(subscription_id, safe='')}"
        return _load(load_subscription, self._call(slot, "command", "PATCH", path, dict(change)), "command")

    def last_deliveries(self, slot: Slot, subscription_id: str) -> tuple[LastDelivery, ...]:
        """`GET /webhooks/{id}/delivery-status`: the latest delivery of each event."""
        path = f"/webhooks/{quote(subscription_id, safe='')}/delivery-status"
        return self._query(slot, path, load_last_deliveries)

    def delivery_log(self, slot: Slot, subscription_id: str, event: str) -> tuple[LoggedDelivery, ...]:
        """`GET /webhooks/{id}/delivery-status/logs/{event}`: the latest deliveries, failed ones included."""
        path = f"/webhooks/{quote(subscription_id, safe='')}/delivery-status/logs/{quote(event, safe='')}"
        return self._query(slot, path, load_delivery_log)

    def organization_name(self, slot: Slot) -> str:
        """`GET /organization`: the name of the token's organization."""
        return self._query(slot, ORGANIZATION, schemas.load_organization_name)

    def _query(self, slot: Slot, path: str, load: Callable[[Any], Result]) -> Result:
        return _load(load, self._call(slot, "query", "GET", path), "query")


def _paged(path: str, page_key: str | None) -> str:
    return path + (f"?{urlencode({'pageKey': page_key})}" if page_key else "")


def _load(load: Callable[[Any], Result], body: Any, effect: Effect) -> Result:
    """Parse a response. On failure the outcome of a command is unknown."""
    try:
        return load(body)
    except PayloadError as error:
        problem = f"Dixa's response can't be read: {error}"
        raise (OutcomeUnknown(problem) if effect == "command" else RetryLater(problem)) from error
