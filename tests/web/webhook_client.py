"""Helpers to send events of Dixa to an app in this process."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from flask.testing import FlaskClient

from service.sandbox.dixa.webhooks import sign
from service.web.app import create_app
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET, settings_for

PATH = "/webhooks/dixa"
OTHER_SECRET = "00ff" * 8

CHANGES = {
    "CONVERSATION_OPEN": ("cancelled", "reopened"),
    "CONVERSATION_PENDING": ("cancelled", "reopened"),
    "CONVERSATION_RATED": ("skipped", "already_surveyed"),
}
"""The state and reason of a survey after each change."""

_ids = count(70_001)


def make_client(redis_url: str, **environ: str) -> FlaskClient:
    return create_app(settings_for(redis_url, **environ)).test_client()


def closed(**conversation: Any) -> dict[str, Any]:
    """Make an event of Dixa's about a new conversation."""
    number = next(_ids)
    return {
        "event_id": f"0b0f3f0e-6f0c-4b52-9d0a-{number:012}",
        "event_fqn": "CONVERSATION_CLOSED",
        "event_version": "1",
        "event_timestamp": datetime.now(UTC).isoformat(),
        "organization": {"id": "5b9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10", "name": "Nordlys Outdoor"},
        "data": {
            "conversation": {
                "csid": number,
                "channel": "EMAIL",
                "status": "CLOSED",
                "direction": "INBOUND",
                "requester": {"id": "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90", "name": "Ida Holm"},
                "assignee": {"id": "7e3c2a10-5d4b-4c6a-8b1f-9f2d0e6c4b51", "name": "Mads Lund"},
                "tags": [],
            }
            | conversation
        },
    }


def change_of(event: dict[str, Any], name: str, *, minutes: int = 1) -> dict[str, Any]:
    """Make an event about the same conversation, this long after its close."""
    moment = datetime.fromisoformat(event["event_timestamp"]) + timedelta(minutes=minutes)
    return event | {"event_id": f"{name}-{id_of(event)}", "event_fqn": name, "event_timestamp": moment.isoformat()}


def id_of(event: dict[str, Any]) -> int:
    number: int = event["data"]["conversation"]["csid"]
    return number


def send(client: FlaskClient, event: object, secret: str = WEBHOOK_SECRET, **headers: str) -> tuple[int, Any]:
    """Send a signed event. A body that isn't bytes is dumped as JSON."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    response = client.post(PATH, base_url=PUBLIC_URL, data=body, headers=sign(body, secret) | headers)
    assert response.mimetype == "application/json"
    assert response.json
    return response.status_code, response.json
