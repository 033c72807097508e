"""A close as Dixa sends it, as Afterword parses it, and variations of it."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

from service.dixa.events import Event, load_event
from service.surveys.model import Close

RECEIVED = datetime(2026, 11, 20, 9, 15, 4, tzinfo=UTC)
CLOSED = {
    "event_id": "0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11",
    "event_fqn": "CONVERSATION_CLOSED",
    "event_version": "1",
    "event_timestamp": "2026-11-20T09:15:02.114Z",
    "organization": {"id": "5b9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10", "name": "Nordlys Outdoor"},
    "data": {
        "conversation": {
            "csid": 48213,
            "channel": "WIDGET_CHAT",
            "status": "CLOSED",
            "direction": "INBOUND",
            "queue": {"id": "c2a7e1d4", "name": "Returns"},
            "contact_point": "help@nordlys.example",
            "requester": {
                "id": "b1d6a0c2",
                "name": "Ida Holm",
                "email": "ida@example.com",
                "phone": "+4520123456",
                "user_type": "Contact",
            },
            "assignee": {"id": "7e3c2a10", "name": "Mads Lund", "email": "mads@nordlys.example"},
            "subject": "Wrong size",
            "tags": ["vip", {"id": "1", "name": "returns"}],
            "created_at": "2026-11-19T14:02:44.009Z",
        }
    },
}
CLOSE = Close(
    conversation_id=48213,
    closed_at=datetime(2026, 11, 20, 9, 15, 2, 114000, tzinfo=UTC),
    channel="WidgetChat",
    direction="Inbound",
    queue_id="c2a7e1d4",
    queue_name="Returns",
    contact_point="help@nordlys.example",
    requester_id="b1d6a0c2",
    user_type="Contact",
    email="ida@example.com",
    phone="+4520123456",
    agent_id="7e3c2a10",
    tags=("vip", "returns"),
    event_id="0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11",
)


def load(body: Any) -> Event:
    return load_event(json.dumps(body).encode(), RECEIVED)


def closed(*path: str, value: Any = ..., base: Any = CLOSED) -> Any:
    """Copy the example, with `value` at a path, or without that field."""
    body = copy.deepcopy(base)
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return body


def in_conversation(key: str, value: Any = ...) -> Any:
    return closed("data", "conversation", key, value=value)
