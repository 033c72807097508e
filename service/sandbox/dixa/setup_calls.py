"""The calls of Dixa's API for setting up and recovering: subscriptions, deliveries, the activity log, and agents."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from service.sandbox.dixa import request_bodies
from service.sandbox.dixa.call import Call, DixaResponse, page_key, read_page, respond
from service.sandbox.dixa.model import Delivery, Person, iso
from service.sandbox.dixa.serializers import bracketed
from service.sandbox.dixa.state import Refused, State
from service.sandbox.dixa.subscriptions import Subscription, dump_detail, dump_status, dump_subscription
from service.sandbox.dixa.webhooks import webhook_spelling

_LOGGED = 50
"""How many deliveries the log shows. Dixa doesn't document its number."""


def subscriptions(state: State, _: Call) -> DixaResponse:
    """`GET /webhooks`."""
    return respond([_dump(state, each) for each in state.subscriptions.values()])


def subscribe(state: State, call: Call) -> DixaResponse:
    """`POST /webhooks`."""
    body = call.load(request_bodies.SUBSCRIBE)
    made = Subscription(body["url"], events=[])
    made.change(body)
    state.subscriptions[made.id] = made
    return DixaResponse(201, {"data": _dump(state, made)})


def subscription(state: State, call: Call) -> DixaResponse:
    """`GET /webhooks/{id}`."""
    return respond(_dump(state, _subscription(state, call)))


def change_subscription(state: State, call: Call) -> DixaResponse:
    """`PATCH /webhooks/{id}`."""
    found, body = _subscription(state, call), call.load(request_bodies.CHANGE_SUBSCRIPTION)
    found.change(body)
    return respond(_dump(state, found))


def unsubscribe(state: State, call: Call) -> DixaResponse:
    """`DELETE /webhooks/{id}`."""
    del state.subscriptions[_subscription(state, call).id]
    return DixaResponse(204)


def delivery_status(state: State, call: Call) -> DixaResponse:
    """`GET /webhooks/{id}/delivery-status`."""
    found = _subscription(state, call)
    return respond([dump_status(event, next(iter(_deliveries(state, found, event)), None)) for event in found.events])


def delivery_logs(state: State, call: Call) -> DixaResponse:
    """`GET /webhooks/{id}/delivery-status/logs/{event}`, latest first. People have no `user_type` there."""
    found = _deliveries(state, _subscription(state, call), call.ids["event"])
    return respond([{"deliveryDetail": dump_detail(each), "payload": _payload(each)} for each in found[:_LOGGED]])


def activity_log(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/activitylog`, latest first."""
    since, until = (_time(call.query, name) for name in ("fromDatetime", "toDatetime"))
    found = [
        each
        for each in reversed(state.activities)
        if (since is None or since <= each.at) and (until is None or each.at <= until)
    ]
    entries = [
        {
            "id": each.id,
            "conversationId": each.conversation_id,
            "activityTimestamp": bracketed(iso(each.at)),
            "activityType": {"_type": f"{each.kind}ActivityType"},
            "_type": each.kind,
        }
        for each in found
    ]
    given = {name: value for name, value in call.query.items() if name in {"fromDatetime", "toDatetime"}}
    return _page(call, entries, "/beta/conversations/activitylog", given)


def agents(state: State, call: Call) -> DixaResponse:
    """`GET /agents`."""
    return _page(call, [_dump_agent(each) for each in state.agents], "/beta/agents", {})


def contact_endpoints(state: State, _: Call) -> DixaResponse:
    """`GET /contact-endpoints`."""
    return respond(
        [
            {"address": each, "_type": "EmailEndpoint"}
            if "@" in each
            else {"number": each, "_type": "TelephonyEndpoint"}
            for each in state.contact_points
        ]
    )


def _dump(state: State, found: Subscription) -> dict[str, Any]:
    return dump_subscription(found, state.agents[0].id)


def _dump_agent(agent: Person) -> dict[str, Any]:
    return {
        "id": agent.id,
        "createdAt": iso(datetime(2026, 1, 5, tzinfo=UTC)),
        "displayName": agent.name,
        "email": agent.email or "",
        "roles": ["Agent"],
    }


def _subscription(state: State, call: Call) -> Subscription:
    text = call.ids["webhookSubscriptionId"]
    try:
        UUID(text)
    except ValueError:
        raise Refused(400, "Invalid value for: path parameter webhookSubscriptionId") from None
    return state.subscription(text)


def _deliveries(state: State, found: Subscription, event: str) -> list[Delivery]:
    name = webhook_spelling(event)
    own = (each for each in reversed(state.deliveries) if each.subscription_id == found.id and each.attempts)
    return [each for each in own if each.event == name]


def _payload(delivery: Delivery) -> str:
    document = json.loads(delivery.body)
    for person in ("requester", "assignee"):
        (document["data"]["conversation"][person] or {}).pop("user_type", None)
    return json.dumps(document)


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(query[name]) if name in query else None
    except ValueError:
        raise Refused(400, f"Invalid value for: query parameter {name}") from None


def _page(call: Call, items: Sequence[Any], path: str, given: Mapping[str, str]) -> DixaResponse:
    size, page = read_page(call.query)
    rest = items[(page + 1) * size :]
    link = f"{path}?{urlencode({**given, 'pageKey': page_key(size, page + 1)})}"
    return DixaResponse(200, {"data": items[page * size : (page + 1) * size], "meta": {"next": link} if rest else {}})


_ONE = "/webhooks/<webhookSubscriptionId>"

SETUP_CALLS: Mapping[str, tuple[str, str, Callable[[State, Call], DixaResponse]]] = {
    "subscriptions": ("GET", "/webhooks", subscriptions),
    "subscribe": ("POST", "/webhooks", subscribe),
    "subscription": ("GET", _ONE, subscription),
    "change_subscription": ("PATCH", _ONE, change_subscription),
    "unsubscribe": ("DELETE", _ONE, unsubscribe),
    "delivery_status": ("GET", f"{_ONE}/delivery-status", delivery_status),
    "delivery_logs": ("GET", f"{_ONE}/delivery-status/logs/<event>", delivery_logs),
    "activity_log": ("GET", "/conversations/activitylog", activity_log),
    "agents": ("GET", "/agents", agents),
    "contact_endpoints": ("GET", "/contact-endpoints", contact_endpoints),
}
