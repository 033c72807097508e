"""Parses the events of Dixa's webhooks into closes, and into changes after a close.

Source: Dixa's developer documentation, "Webhook payloads".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, fields

from service.dixa.fields import AnyText, ConversationId, FromDixa, Lenient, Part, Spelled, Tags, Text, Time, clean
from service.dixa.payloads import PayloadError, load, load_json
from service.surveys.mailbox import read_address
from service.surveys.model import Change, Close
from service.surveys.states import ChangeKind

CLOSED = {"CONVERSATION_CLOSED", "CONVERSATION_ABANDONED"}
"""`ABANDONED` is a conversation that is closed without an agent."""

CHANGES = {
    "CONVERSATION_OPEN": ChangeKind.REOPENED,
    "CONVERSATION_PENDING": ChangeKind.REOPENED,
    "CONVERSATION_RATED": ChangeKind.RATED,
}
"""Events that cancel a waiting survey."""

_NAMES = {name.replace("_", ""): name for name in (*CLOSED, *CHANGES)}
"""Names without underscores: Dixa's subscriptions spell them `ConversationClosed`."""

CONTACT, MEMBER = "Contact", "Member"
"""Types of people: a customer, and somebody of the organisation."""
_END_USER = "enduser"
"""The one role of a customer."""
_MAX_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Event:
    """An event: a close, a relevant change, or neither. `id` is "" if Dixa sent none; `name` is in Dixa's spelling."""

    id: str
    name: str
    close: Close | None
    change: Change | None = None


def load_event(raw: bytes, received_at: datetime) -> Event:
    """Parse the body of a verified webhook.

    If the event's time is malformed or in the future, the time of receipt replaces it. Raises PayloadError naming each
    missing or malformed required field.
    """
    body = load_json(raw)
    known = _known_name(body)
    event = load(_CLOSE_EVENT if known in CLOSED else _EVENT, body)
    event_id, happened_at = event["event_id"] or "", _happened_at(event["event_timestamp"], received_at)
    close = _read_close(event["data"]["conversation"], event_id, happened_at) if known in CLOSED else None
    change = _load_change(body, CHANGES[known], happened_at) if known in CHANGES else None
    return Event(event_id, clean(event["event_fqn"]), close, change)


def _known_name(body: Any) -> str:
    """Return the name of the event as in CLOSED and CHANGES, or an empty text."""
    name = body.get("event_fqn") if isinstance(body, Mapping) else None
    return _NAMES.get(name.replace("_", "").strip().upper(), "") if isinstance(name, str) else ""


def _read_close(found: Mapping[str, Any], event_id: str, happened_at: datetime) -> Close:
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
        user_type=_type_of(requester),
        agent_id=assignee.get("id"),
        assignee_type=_type_of(assignee),
        tags=found["tags"],
        event_id=event_id,
        email=address,
        phone=requester.get("phone"),
        odd_email=None if address else clean(written) or None,
    )


def _type_of(person: Mapping[str, Any]) -> str | None:
    """Return the type of a person. A payload of the delivery log has none, but shows it by the roles."""
    given, roles = person.get("user_type"), person.get("roles")
    if given or not isinstance(roles, list) or not roles:
        return given
    return CONTACT if {str(each).casefold() for each in roles} == {_END_USER} else MEMBER


def _load_change(body: Any, kind: ChangeKind, happened_at: datetime) -> Change | None:
    """Return None without a conversation id. Nothing is lost: each survey is checked again before its offer."""
    try:
        found = load(_CHANGE_EVENT, body)
    except PayloadError:
        return None
    return Change(found["data"]["conversation"]["csid"], kind, happened_at)


def _happened_at(event_time: datetime | None, received_at: datetime) -> datetime:
    is_usable = event_time is not None and event_time <= received_at + _MAX_CLOCK_SKEW
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
    requester = Part("id", "phone", user_type=Spelled(), email=AnyText(), roles=Lenient())
    assignee = Part("id", user_type=Spelled(), roles=Lenient())
    tags = Tags()


class _ChangedConversationSchema(FromDixa):
    csid = ConversationId(required=True)


def _about(conversation: type[Schema]) -> Schema:
    """Build the schema of an event with this conversation at `data.conversation`."""
    data = FromDixa.from_dict({"conversation": fields.Nested(conversation, required=True)})
    return _EventSchema.from_dict({"data": fields.Nested(data, required=True)})()


_EVENT = _EventSchema()
_CLOSE_EVENT = _about(_ClosedConversationSchema)
_CHANGE_EVENT = _about(_ChangedConversationSchema)
