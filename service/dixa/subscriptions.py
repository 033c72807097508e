"""The webhook subscriptions of the organization and their deliveries: parses responses, and builds bodies.

Source: Dixa's OpenAPI description. A subscription names events as in `ConversationClosed`.
"""

import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from marshmallow import fields

from config.secret_parsers import key_bytes
from service.dixa.authorization import dump_authorization
from service.dixa.fields import AnyText, FromDixa, Lenient, Part, Text, Time, Word
from service.dixa.payloads import load, load_data, load_list

EVENTS: Final = frozenset(
    {"ConversationClosed", "ConversationAbandoned", "ConversationOpen", "ConversationPending", "ConversationRated"}
)
"""Those that Afterword needs: the first two start a survey, the others end a waiting one."""
PATH: Final = "/webhooks/dixa"
"""Where the web takes them, below PUBLIC_URL."""
CLOSED_EVENTS: Final = ("ConversationClosed", "ConversationAbandoned")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook subscription."""

    id: str
    name: str
    url: str
    events: frozenset[str]
    enabled: bool
    secret_key: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    """The header that Dixa sends."""
    filters: Any = field(default=None, hash=False)

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves out some conversations."""
        return bool(self.filters)


@dataclass(frozen=True, slots=True)
class LastDelivery:
    """The latest delivery of an event, if there was one of late. `status` is the HTTP status of the response."""

    event: str
    at: datetime | None = None
    succeeded: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """An entry of the delivery log. `payload` is the body that was sent, or was to be."""

    at: datetime | None
    succeeded: bool
    payload: str = field(repr=False)


def load_subscription(body: Any) -> Subscription:
    """Parse a WebhookSubscription."""
    return _make(load(_SUBSCRIPTION, load_data(body)))


def load_subscriptions(body: Any) -> tuple[Subscription, ...]:
    """Parse `GET /webhooks`."""
    return tuple(map(_make, load_list(_SUBSCRIPTION, body)))


def _make(found: dict[str, Any]) -> Subscription:
    return Subscription(
        id=found["id"],
        name=found["name"] or "",
        url=found["url"],
        events=frozenset(each for each in found["subscribedEvents"] or () if isinstance(each, str)),
        enabled=found["enabled"],
        secret_key=found["secretKey"],
        authorization=str((found["headers"] or {}).get("Authorization") or ""),
        filters=found["filters"],
    )


def load_last_deliveries(body: Any) -> tuple[LastDelivery, ...]:
    """Parse `GET /webhooks/{id}/delivery-status`."""
    return tuple(_make_last(each["event"], each["deliveryStatus"] or {}) for each in load_list(_STATUS, body))


def _make_last(event: str, detail: dict[str, Any]) -> LastDelivery:
    if detail.get("deliveryTimestamp") is None:
        return LastDelivery(event)
    status = detail.get("responseCode")
    return LastDelivery(
        event, detail["deliveryTimestamp"], detail.get("success") is True, status if isinstance(status, int) else None
    )


def load_delivery_log(body: Any) -> tuple[LoggedDelivery, ...]:
    """Parse `GET /webhooks/{id}/delivery-status/logs/{event}`, latest first."""
    return tuple(
        LoggedDelivery(
            at=(each["deliveryDetail"] or {}).get("deliveryTimestamp"),
            succeeded=(each["deliveryDetail"] or {}).get("success") is True,
            payload=each["payload"],
        )
        for each in load_list(_LOGGED, body)
    )


def find_own(subscriptions: Iterable[Subscription], url: str, keys: Collection[bytes]) -> Subscription | None:
    """Return the subscription of this installation: the one with its URL, else one whose key it has."""
    found = [*subscriptions]
    own = [each for each in found if each.url == url]
    return next(iter([*own, *(each for each in found if is_known(each, keys))]), None)


def is_known(subscription: Subscription, keys: Collection[bytes]) -> bool:
    """Return whether one of these keys is the subscription's."""
    key = key_bytes(subscription.secret_key)
    return any(hmac.compare_digest(key, each) for each in keys)


def dump_subscription(url: str, events: Collection[str], authorization: str) -> dict[str, Any]:
    """Build the body of `POST /webhooks`."""
    return {
        "name": "Afterword",
        "events": sorted(events),
        "url": url,
        "authorization": dump_authorization(authorization),
        "customHeaders": {},
        "enabled": True,
    }


class _SubscriptionSchema(FromDixa):
    id = Word(required=True)
    name = Text()
    url = fields.String(required=True)
    subscribedEvents = Lenient()
    headers = Part(Authorization=AnyText())
    secretKey = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    filters = Lenient()


class _StatusSchema(FromDixa):
    event = Word(required=True)
    deliveryStatus = Part(deliveryTimestamp=Time(), success=Lenient(), responseCode=Lenient())


class _LoggedSchema(FromDixa):
    deliveryDetail = Part(deliveryTimestamp=Time(), success=Lenient())
    payload = fields.String(required=True)


_SUBSCRIPTION = _SubscriptionSchema()
_STATUS = _StatusSchema()
_LOGGED = _LoggedSchema()
