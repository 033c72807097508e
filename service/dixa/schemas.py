"""Parses responses of Dixa's API into our own objects, and builds request bodies.

Source: Dixa's OpenAPI description.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from marshmallow import fields

from service.dixa.fields import (
    Address,
    ConversationId,
    FromDixa,
    Lenient,
    Part,
    Spelled,
    Text,
    Time,
    Word,
)
from service.dixa.payloads import load, load_data, load_list
from service.surveys.ports import Conversation, EndUser, Message, Page, Rating
from service.surveys.ratings import RatingType


def load_conversation(body: Any) -> Conversation:
    """Parse `GET /conversations/{id}`. An anonymized conversation has `is_erased`."""
    found = load(_CONVERSATION, load_data(body))
    return Conversation(
        id=found["id"],
        channel=found["channel"] or "",
        requester_id=found["requesterId"],
        state=found["state"],
        direction=found["direction"],
        language=found["language"],
        agent_id=(found["assignment"] or {}).get("agentId"),
        link=(found["link"] or {}).get("_type"),
        open_until=found["transportExpiresAt"],
        is_erased=found["_type"] == "AnonymizedConversation" or found["anonymizedAt"] is not None,
        changed_at=found["stateUpdatedAt"],
        queue_id=(found["queue"] or {}).get("id"),
        contact_point=found["toEmail"],
        email=found["fromEmail"] if found["direction"] != "Outbound" else None,
    )


def load_page(body: Any) -> Page:
    """Parse `POST /search/conversations`. Hits contain ids only."""
    return Page(tuple(int(hit["id"]) for hit in load_list(_HIT, body)), _next_key(body))


def load_agents(body: Any) -> tuple[dict[str, str], str | None]:
    """Parse `GET /agents`: names by id, and the key of the next page, if any."""
    return {each["id"]: each["displayName"] or "" for each in load_list(_AGENT, body)}, _next_key(body)


def load_closes(body: Any) -> tuple[tuple[tuple[int, datetime], ...], str | None]:
    """Parse `GET /conversations/activitylog`: the closes, and the key of the next page, if any."""
    entries = load_list(_ACTIVITY, body)
    closes = ((each["conversationId"], each["activityTimestamp"]) for each in entries if each["_type"] in _CLOSES)
    return tuple((number, at) for number, at in closes if at), _next_key(body)


def load_contact_points(body: Any) -> tuple[str, ...]:
    """Parse `GET /contact-endpoints`: addresses and numbers."""
    found = (each["address"] or each["number"] for each in load_list(_CONTACT_POINT, body))
    return tuple(each for each in found if each)


def _next_key(body: Any) -> str | None:
    meta = body.get("meta")
    link = meta.get("next") if isinstance(meta, Mapping) else None
    # Only the key of the link is used: its path is relative, and a response must not choose which path we call.
    keys = parse_qs(urlsplit(link).query).get("pageKey") if isinstance(link, str) else None
    return keys[0] if keys else None


def load_queues(body: Any) -> dict[str, str]:
    """Parse `GET /queues`: names by id."""
    return {queue["id"]: queue["name"] for queue in load_list(_QUEUE, body)}


def load_ratings(body: Any) -> tuple[Rating, ...]:
    """Parse `GET /conversations/{id}/ratings`.

    One malformed element makes the whole list fail: without it, an offer might be made twice.
    """
    return tuple(Rating(**each) for each in load_list(_RATING, body))


def load_offer_id(body: Any) -> str:
    """Parse `POST /conversations/{id}/ratings/offer`: the rating id."""
    return str(load(_OFFER, load_data(body))["id"])


def load_messages(body: Any) -> tuple[Message, ...]:
    """Parse `GET /conversations/{id}/messages`. One malformed element makes the whole list fail, as with ratings."""
    return tuple(map(_make_message, load_list(_MESSAGE, body)))


def _make_message(found: Mapping[str, Any]) -> Message:
    about = found["attributes"] or {}
    return Message(
        id=found["id"],
        external_id=found["external_id"],
        direction=about.get("direction"),
        is_automated=about.get("isAutomated") is True or about.get("isAutoReply") is True,
        created_at=found["created_at"],
    )


def load_conversation_tags(body: Any) -> tuple[str, ...]:
    """Parse `GET /conversations/{id}/tags`: names."""
    return tuple(each["name"] for each in load_list(_TAG, body) if each["name"])


def load_notes(body: Any) -> tuple[str, ...]:
    """Parse `GET /conversations/{id}/notes`: texts."""
    return tuple(each["message"] for each in load_list(_NOTE, body))


def load_tags(body: Any) -> dict[str, str]:
    """Parse `GET /tags`: ids by name. Malformed tags are skipped."""
    return {each["name"]: each["id"] for each in load_list(_TAG, body) if each["id"] and each["name"]}


def load_end_user(body: Any) -> EndUser:
    """Parse `GET /endusers/{userId}`."""
    return EndUser(**load(_END_USER, load_data(body)))


def load_organization_name(body: Any) -> str:
    """Parse `GET /organization`: its name."""
    return str(load(_ORGANIZATION, load_data(body))["name"])


def dump_search(since: datetime, until: datetime) -> dict[str, Any]:
    """Build the body of `POST /search/conversations` for conversations closed between two times."""
    between = {"_type": "Between", "timestampFrom": dump_time(since), "timestampTo": dump_time(until)}
    return {"filters": {"strategy": "All", "conditions": [{"field": {"_type": "ClosedDate", "operator": between}}]}}


def dump_offer(rating: RatingType, *, user_id: str, agent_id: str | None, offered_at: datetime) -> dict[str, Any]:
    """Build the body of `POST /conversations/{id}/ratings/offer`."""
    agent = {"agentId": agent_id} if agent_id else {}
    return {"ratingType": str(rating), "userId": user_id, **agent, "offeredAt": dump_time(offered_at)}


def dump_result(rating: RatingType, *, score: int, comment: str, submitted_at: datetime) -> dict[str, Any]:
    """Build the body of `POST /conversations/{id}/ratings/{ratingId}/submit`."""
    optional = {"comment": comment} if comment else {}
    result = {"_type": str(rating), "value": score}
    return {"ratingResult": result, **optional, "submittedAt": dump_time(submitted_at)}


def dump_message(agent_id: str, text: str, *, external_id: str, kind: str = "Text") -> dict[str, Any]:
    """Build the body of `POST /conversations/{id}/messages`. `kind` is the format of `text`: Text, Html or Markdown."""
    content = {"_type": kind, "value": text}
    return {"_type": "Outbound", "agentId": agent_id, "content": content, "externalId": external_id}


def dump_time(at: datetime) -> str:
    """Write a time as Dixa has it, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _ConversationSchema(FromDixa):
    """Attributes have Dixa's spelling, so that each needs one name only."""

    id = ConversationId(required=True)
    _type = Text()
    requesterId = Word(required=True)
    channel = Spelled()
    state = Spelled()
    direction = Spelled()
    language = Text()
    assignment = Part("agentId")
    link = Part("_type")
    transportExpiresAt = Time()
    anonymizedAt = Lenient()
    stateUpdatedAt = Time()
    queue = Part("id")
    toEmail = Text()
    fromEmail = Address()


class _RatingSchema(FromDixa):
    id = Word(required=True)
    type = Word(data_key="ratingType", required=True)
    status = Word(data_key="ratingStatus", required=True)


class _HitSchema(FromDixa):
    id = ConversationId(required=True)


class _QueueSchema(FromDixa):
    id = Word(required=True)
    name = Word(required=True)


class _OfferSchema(FromDixa):
    id = Word(required=True)


class _MessageSchema(FromDixa):
    id = Word(required=True)
    external_id = Text(data_key="externalId")
    created_at = Time(data_key="createdAt")
    attributes = Part(direction=Spelled(), isAutomated=Lenient(), isAutoReply=Lenient())


class _NoteSchema(FromDixa):
    message = fields.String(required=True)


class _TagSchema(FromDixa):
    id = Text()
    name = Text()


class _EndUserSchema(FromDixa):
    id = Word(required=True)
    email = Text()
    phone = Text(data_key="phoneNumber")


class _OrganizationSchema(FromDixa):
    name = Word(required=True)


class _AgentSchema(FromDixa):
    id = Word(required=True)
    displayName = Text()


class _ActivitySchema(FromDixa):
    conversationId = ConversationId(required=True)
    activityTimestamp = Time()
    _type = Text()


class _ContactPointSchema(FromDixa):
    address = Text()
    number = Text()


_CLOSES = {"ConversationClosed", "ConversationAbandoned"}

_CONVERSATION = _ConversationSchema()
_RATING = _RatingSchema()
_HIT = _HitSchema()
_QUEUE = _QueueSchema()
_OFFER = _OfferSchema()
_MESSAGE = _MessageSchema()
_NOTE = _NoteSchema()
_TAG = _TagSchema()
_END_USER = _EndUserSchema()
_ORGANIZATION = _OrganizationSchema()
_AGENT = _AgentSchema()
_ACTIVITY = _ActivitySchema()
_CONTACT_POINT = _ContactPointSchema()
