"""What Dixa sends and is sent, as JSON on one side and our own objects on the other. marshmallow stays in here.

Sources: Dixa's OpenAPI description (the API), Dixa's developer documentation, "Webhook payloads" (the events).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from marshmallow import Schema, ValidationError, fields

from config.surveys import RatingType, mistakes
from service.dixa.fields import ConversationId, FromDixa, Optional, Part, Spelled, Tags, Text, Time, Word, clean
from service.surveys.model import Close
from service.surveys.ports import Conversation, Message, Rating

CLOSED = "CONVERSATION_CLOSED"

_CLOCKS_DIFFER_BY = timedelta(minutes=5)


class PayloadError(Exception):
    """Something of Dixa's can't be used; the text names each missing or malformed field, and never its value."""


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook's event. `close` is there for CONVERSATION_CLOSED only; `id` is empty if Dixa sent none."""

    id: str
    name: str
    close: Close | None


def load_event(raw: bytes, received_at: datetime) -> Event:
    """Read a webhook body that has already been verified.

    The time of the close is when it was received, if the event's own time is odd or in the future.
    Raises PayloadError naming each missing or malformed field; unknown and odd optional fields are passed over.
    """
    body = load_json(raw)
    event = _load(_EventSchema(), body)
    name = event["event_fqn"]
    close = _load_close(body, event["event_timestamp"], received_at) if name == CLOSED else None
    return Event(event["event_id"] or "", clean(name), close)


def load_json(raw: bytes) -> Any:
    """Parse JSON more strictly than Python does: no NaN or Infinity, and no key twice in an object.

    Raises PayloadError.
    """
    try:
        return json.loads(
            raw.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object_without_twins
        )
    except (ValueError, RecursionError):  # Nor does any error of the parser's say more: it would quote the body.
        raise PayloadError("The body is not JSON that can be read.") from None


def load_conversation(body: Any) -> Conversation:
    """Read the answer of `GET /conversations/{id}`; an anonymised conversation is an answer too, as `is_erased`."""
    found = _load(_ConversationSchema(), _data(body))
    return Conversation(
        id=found["id"],
        channel=found["channel"] or "",
        requester_id=found["requesterId"],
        state=found["state"],
        direction=found["direction"],
        language=found["language"],
        agent_id=(found["assignment"] or {}).get("agentId"),
        is_erased=found["_type"] == "AnonymizedConversation" or found["anonymizedAt"] is not None,
    )


def load_ratings(body: Any) -> tuple[Rating, ...]:
    """Read the answer of `GET /conversations/{id}/ratings`.

    One malformed element refuses the whole list: an offer that went unseen would be made a second time.
    """
    return tuple(Rating(**each) for each in _load_list(_RatingSchema(), body))


def load_offer_id(body: Any) -> str:
    """Read the rating id from the answer of `POST /conversations/{id}/ratings/offer`."""
    return str(_load(_OfferSchema(), _data(body))["id"])


def load_messages(body: Any) -> tuple[Message, ...]:
    """Read the answer of `GET /conversations/{id}/messages`; as with ratings, a malformed element refuses it all."""
    return tuple(Message(**each) for each in _load_list(_MessageSchema(), body))


def load_organization_name(body: Any) -> str:
    """Read the name from the answer of `GET /organization`."""
    return str(_load(_OrganizationSchema(), _data(body))["name"])


def dump_offer(rating: RatingType, *, user_id: str, agent_id: str | None, offered_at: datetime) -> dict[str, Any]:
    """Write the body of `POST /conversations/{id}/ratings/offer`."""
    agent = {"agentId": agent_id} if agent_id else {}
    return {"ratingType": str(rating), "userId": user_id, **agent, "offeredAt": _dump_time(offered_at)}


def dump_result(rating: RatingType, *, score: int, comment: str, submitted_at: datetime) -> dict[str, Any]:
    """Write the body of `POST /conversations/{id}/ratings/{ratingId}/submit`."""
    said = {"comment": comment} if comment else {}
    result = {"_type": str(rating), "value": score}
    return {"ratingResult": result, **said, "submittedAt": _dump_time(submitted_at)}


def dump_message(agent_id: str, text: str, *, external_id: str, kind: str = "Text") -> dict[str, Any]:
    """Write the body of `POST /conversations/{id}/messages`. `kind` says what `text` is: Text, Html or Markdown."""
    content = {"_type": kind, "value": text}
    return {"_type": "Outbound", "agentId": agent_id, "content": content, "externalId": external_id}


def _load_close(body: Any, event_time: datetime | None, received_at: datetime) -> Close:
    data = _load(_ClosedSchema(), body)["data"]
    found = data["conversation"]
    queue = found["queue"] or {}
    is_usable = event_time is not None and event_time <= received_at + _CLOCKS_DIFFER_BY
    return Close(
        conversation_id=found["csid"],
        closed_at=event_time if event_time and is_usable else received_at.astimezone(UTC),
        channel=found["channel"],
        direction=found["direction"],
        queue_id=queue.get("id"),
        queue_name=queue.get("name"),
        requester_id=(found["requester"] or {}).get("id"),
        agent_id=(found["assignee"] or {}).get("id"),
        tags=found["tags"] or (),
    )


def _load(schema: Schema, body: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise PayloadError("; ".join(mistakes(error.messages, "body"))) from error
    return found


def _data(body: Any) -> Any:
    """Take the content out of the `{"data": …}` that the API puts around every answer."""
    if not isinstance(body, Mapping) or "data" not in body:
        raise PayloadError("body.data: Missing.")
    return body["data"]


def _load_list(schema: Schema, body: Any) -> list[dict[str, Any]]:
    items = _data(body)
    if not isinstance(items, list):
        raise PayloadError("body.data: Not a list.")
    return [_load(schema, item) for item in items]


def _dump_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


class _EventSchema(FromDixa):
    event_id = Text()
    event_fqn = fields.String(required=True)
    event_timestamp = Time()


class _ClosedConversationSchema(FromDixa):
    csid = ConversationId(required=True)
    channel = Spelled()
    direction = Spelled()
    queue = Part("id", "name")
    requester = Part("id")
    assignee = Part("id")
    tags = Tags()


class _ClosedDataSchema(FromDixa):
    conversation = fields.Nested(_ClosedConversationSchema, required=True)


class _ClosedSchema(FromDixa):
    data = fields.Nested(_ClosedDataSchema, required=True)


class _ConversationSchema(FromDixa):
    """Attributes are spelled as Dixa does, so that only one name is needed."""

    id = ConversationId(required=True)
    _type = Text()
    requesterId = Word(required=True)
    channel = Spelled()
    state = Spelled()
    direction = Spelled()
    language = Text()
    assignment = Part("agentId")
    anonymizedAt = Optional()


class _RatingSchema(FromDixa):
    id = Word(required=True)
    type = Word(data_key="ratingType", required=True)
    status = Word(data_key="ratingStatus", required=True)


class _OfferSchema(FromDixa):
    id = Word(required=True)


class _MessageSchema(FromDixa):
    id = Word(required=True)
    external_id = Text(data_key="externalId")


class _OrganizationSchema(FromDixa):
    name = Word(required=True)
