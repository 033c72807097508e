"""The events of Dixa's webhooks: a body becomes a close, or a change of one.

Source: Dixa's developer documentation, "Webhook payloads".
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import fields

from service.dixa.fields import AnyText, ConversationId, FromDixa, Part, Spelled, Tags, Text, Time, clean
from service.dixa.payloads import PayloadError, load, load_json
from service.surveys.mailbox import read_address
from service.surveys.model import Change, ChangeKind, Close

CLOSED = {"CONVERSATION_CLOSED", "CONVERSATION_ABANDONED"}
"""A conversation that is closed without an agent is `ABANDONED`."""

CHANGES = {
    "CONVERSATION_OPEN": ChangeKind.REOPENED,
    "CONVERSATION_PENDING": ChangeKind.REOPENED,
    "CONVERSATION_RATED": ChangeKind.RATED,
}
"""The events after which a survey that waits is no longer right."""

_NAMES = {name.replace("_", ""): name for name in (*CLOSED, *CHANGES)}
"""By how they are spelled without underscores: Dixa's subscriptions write `ConversationClosed`."""

_CLOCKS_DIFFER_BY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook's event: a close, a change that matters, or neither. `id` is "" if Dixa sent none, `name` as sent."""

    id: str
    name: str
    close: Close | None
    change: Change | None = None


def load_event(raw: bytes, received_at: datetime) -> Event:
    """Read a webhook body that has already been verified.

    The time of the close is when it was received, if the event's own time is odd or in the future.
    Raises PayloadError naming each missing or malformed field; unknown and odd optional fields are passed over.
    """
    body = load_json(raw)
    event = load(_EventSchema(), body)
    name, event_id = event["event_fqn"], event["event_id"] or ""
    happened_at = _happened_at(event["event_timestamp"], received_at)
    known = _NAMES.get(name.replace("_", "").strip().upper(), "")
    close = _load_close(body, event_id, happened_at) if known in CLOSED else None
    change = _load_change(body, CHANGES[known], happened_at) if known in CHANGES else None
    return Event(event_id, clean(name), close, change)


def _load_close(body: Any, event_id: str, happened_at: datetime) -> Close:
    found = load(_ConversationEventSchema(), body)["data"]["conversation"]
    queue, requester, assignee = found["queue"] or {}, found["requester"] or {}, found["assignee"] or {}
    address = read_address((written := requester.get("email") or "").strip())
    return Close(
        conversation_id=found["csid"],
        closed_at=happened_at,
        channel=found["channel"],
        direction=found["direction"],
        queue_id=queue.get("id"),
        queue_name=queue.get("name"),
        contact_point=found["contact_point"],
        requester_id=requester.get("id"),
        user_type=requester.get("user_type"),
        agent_id=assignee.get("id"),
        assignee_type=assignee.get("user_type"),
        tags=found["tags"],
        event_id=event_id,
        email=address,
        phone=requester.get("phone"),
        odd_email=None if address else clean(written) or None,
    )


def _load_change(body: Any, kind: ChangeKind, happened_at: datetime) -> Change | None:
    """Read whose change it is. One that names no conversation is no harm: Dixa is asked right before an offer."""
    try:
        found = load(_ChangeSchema(), body)
    except PayloadError:
        return None
    return Change(found["data"]["conversation"]["csid"], kind, happened_at)


def _happened_at(event_time: datetime | None, received_at: datetime) -> datetime:
    is_usable = event_time is not None and event_time <= received_at + _CLOCKS_DIFFER_BY
    return event_time if event_time and is_usable else received_at.astimezone(UTC)


class _EventSchema(FromDixa):
    event_id = Text()
    event_fqn = fields.String(required=True)
    event_timestamp = Time()


class _ClosedConversationSchema(FromDixa):
    csid = ConversationId(required=True)
    channel = Spelled()
    direction = Spelled()
    queue = Part("id", "name")
    contact_point = Text()
    requester = Part("id", "phone", user_type=Spelled(), email=AnyText())
    assignee = Part("id", user_type=Spelled())
    tags = Tags()


class _ClosedDataSchema(FromDixa):
    conversation = fields.Nested(_ClosedConversationSchema, required=True)


class _ConversationEventSchema(FromDixa):
    data = fields.Nested(_ClosedDataSchema, required=True)


class _ChangedConversationSchema(FromDixa):
    csid = ConversationId(required=True)


class _ChangedDataSchema(FromDixa):
    conversation = fields.Nested(_ChangedConversationSchema, required=True)


class _ChangeSchema(FromDixa):
    data = fields.Nested(_ChangedDataSchema, required=True)
