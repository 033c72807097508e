"""Dixa's objects as dataclasses. Channels, states and directions have the API's spelling."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

MESSAGE_CHANNELS = ("WidgetChat", "Messenger", "ContactForm", "Email", "Sms", "WhatsApp")
"""Channels with messages through the API (OpenAPI description, "Add message")."""

LANGUAGE_CHANNELS = ("WidgetChat", "Messenger", "ContactForm", "Email")
"""Channels with a language in their conversations (OpenAPI description, GetConversationOutput)."""


def new_id() -> str:
    """Return a random UUID, like Dixa's ids."""
    return str(uuid4())


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Format a time like the API, with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Person:
    """A requester or an agent. `user_type` overrides their type in webhooks, Contact or Member."""

    name: str
    email: str | None = None
    phone: str | None = None
    user_type: str | None = None
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of the organization."""

    name: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the organization."""

    name: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread. `format` is Text, Html or Markdown. Chat and e-mail mark automated messages."""

    author_id: str
    value: str
    direction: str = "Inbound"
    format: str = "Text"
    external_id: str | None = None
    is_automated: bool = False
    created_at: datetime = field(default_factory=now)
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Note:
    """An internal note."""

    author_id: str
    message: str
    created_at: datetime = field(default_factory=now)
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Result:
    """The submitted result of a rating."""

    rating_id: str
    type: str
    value: int
    comment: str | None
    submitted_at: datetime
    received_at: datetime


@dataclass(slots=True)
class Rating:
    """A survey's rating, offered through the API or, with `is_builtin`, by Dixa's own survey."""

    type: str
    user_id: str
    agent_id: str
    status: str = "Offered"
    language: str | None = None
    is_builtin: bool = False
    offered_at: datetime = field(default_factory=now)
    created_at: datetime = field(default_factory=now)
    result: Result | None = None
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Link:
    """A conversation's relation to another one; `type` is SideConversation, FollowUp or EmailForward."""

    type: str
    parent_id: int


@dataclass(slots=True)
class Conversation:
    """A conversation with its messages, notes and ratings."""

    id: int
    channel: str
    requester: Person
    agent: Person | None
    queue: Queue | None
    state: str = "Open"
    direction: str = "Inbound"
    language: str | None = None
    subject: str | None = None
    tags: list[Tag] = field(default_factory=list)
    link: Link | None = None
    contact_point: str = "help@nordlys.example"
    transport_expires_at: datetime | None = None
    anonymized_at: datetime | None = None
    created_at: datetime = field(default_factory=now)
    state_updated_at: datetime = field(default_factory=now)
    closed_at: datetime | None = None
    messages: list[Message] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)

    @property
    def offers(self) -> list[Rating]:
        """The ratings offered through the API."""
        return [rating for rating in self.ratings if not rating.is_builtin]

    @property
    def results(self) -> list[Result]:
        """The results submitted through the API."""
        return [rating.result for rating in self.ratings if rating.result and not rating.is_builtin]


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization of this Dixa."""

    name: str = "Nordlys Outdoor"
    subdomain: str = "nordlys"
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Delivery:
    """One webhook. `status` is of the target's last response, `problem` the reason if there was none."""

    event: str
    conversation_id: int
    body: bytes
    subscription_id: str = ""
    attempts: int = 0
    status: int | None = None
    problem: str | None = None
    is_done: bool = False
    created_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Activity:
    """An entry of the activity log. `kind` is Dixa's, such as `ConversationClosed`."""

    conversation_id: int
    kind: str
    at: datetime
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its response. `status` is None if the connection was closed instead.

    `headers` contain no token. `duration` is in seconds.
    """

    call: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    response: bytes
    fault: str | None
    duration: float
    at: datetime = field(default_factory=now)

    @property
    def request_json(self) -> Any:
        """The request's JSON, or None."""
        return _json(self.body)

    @property
    def response_json(self) -> Any:
        """The response's JSON, or None."""
        return _json(self.response)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
