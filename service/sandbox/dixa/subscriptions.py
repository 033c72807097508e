"""The webhook subscriptions of the organization, and the calls of the API about them."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any

from service.sandbox.dixa.model import Delivery, iso, new_id, now

EVENTS = (
    "ConversationAbandoned",
    "ConversationClosed",
    "ConversationOpen",
    "ConversationPending",
    "ConversationRated",
)
"""Those that the sandbox sends. Dixa has more, and accepts them all."""


@dataclass(slots=True)
class Subscription:
    """A webhook subscription. `headers` may have an `Authorization`."""

    url: str
    events: list[str] = field(default_factory=lambda: [*EVENTS])
    name: str = "Afterword"
    id: str = field(default_factory=new_id)
    secret: str = field(default_factory=lambda: token_hex(32), repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    enabled: bool = True
    filters: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)

    def change(self, body: Mapping[str, Any]) -> None:
        """Apply the fields of a body that are not None."""
        self.name = body["name"] or self.name
        self.url = body["url"] or self.url
        self.events = sorted(body["events"]) if body["events"] is not None else self.events
        self.enabled = self.enabled if body["enabled"] is None else body["enabled"]
        if body["authorization"] is not None:
            self.headers = _authorization(body["authorization"])
        self.headers |= body["customHeaders"] or {}
        self.updated_at = now()


def _authorization(given: Mapping[str, Any]) -> dict[str, str]:
    match given["_type"]:
        case "BasicAuth":
            login = b64encode(f"{given['username']}:{given['password']}".encode()).decode()
            return {"Authorization": f"Basic {login}"}
        case "TokenAuth":
            return {"Authorization": f"Bearer {given['value']}"}
    return {}


def dump_subscription(found: Subscription, user_id: str) -> dict[str, Any]:
    """Make a WebhookSubscription."""
    return {
        "id": found.id,
        "name": found.name,
        "subscribedEvents": found.events,
        "url": found.url,
        "headers": found.headers,
        "secretKey": found.secret,
        "enabled": found.enabled,
        "createdAt": iso(found.created_at),
        "createdBy": user_id,
        "updatedAt": iso(found.updated_at),
        "updatedBy": user_id,
        "filters": found.filters,
    }


def dump_status(event: str, last: Delivery | None) -> dict[str, Any]:
    """Make an EventDeliveryStatus."""
    detail = dump_detail(last) if last else {"_type": "NoRecentDelivery"}
    return {"event": event, "deliveryStatus": detail}


def dump_detail(delivery: Delivery) -> dict[str, Any]:
    """Make a DeliveryDetail. Dixa doesn't document its code for a target that can't be reached."""
    status = delivery.status or 0
    return {
        "deliveryTimestamp": iso(delivery.created_at),
        "success": 200 <= status < 300,  # noqa: PLR2004
        "responseCode": status,
        "responseText": delivery.problem or "",
        "_type": "DeliveryDetail",
    }
