"""The calls of Dixa's API. Each function executes one on the state, and returns its response or raises Refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from service.sandbox.dixa import request_bodies, serializers
from service.sandbox.dixa.call import Call, DixaResponse, page_key, read_page, respond
from service.sandbox.dixa.model import MESSAGE_CHANNELS, Message, Note, Rating, now
from service.sandbox.dixa.request_bodies import SCORES
from service.sandbox.dixa.setup_calls import SETUP_CALLS
from service.sandbox.dixa.state import Refused, State


def organization(state: State, _: Call) -> DixaResponse:
    """`GET /organization`."""
    return respond(serializers.dump_organization(state.organization))


def conversation(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/{id}`."""
    return respond(serializers.dump_conversation(state.conversation(call.conversation_id)))


def offer(state: State, call: Call) -> DixaResponse:
    """`POST /conversations/{id}/ratings/offer`."""
    number, body = call.conversation_id, call.load(request_bodies.OFFER)
    rating = state.offer(
        number, body["ratingType"], user_id=body["userId"], agent_id=body["agentId"], offered_at=body["offeredAt"]
    )
    return DixaResponse(201, {"data": serializers.dump_offer(rating)})


def submit(state: State, call: Call) -> DixaResponse:
    """`POST /conversations/{id}/ratings/{ratingId}/submit`; an unknown id is a 400, since no 404 is documented."""
    number, body = call.conversation_id, call.load(request_bodies.SUBMIT)
    kind, value = body["ratingResult"]["_type"], body["ratingResult"]["value"]
    rating = state.rating(number, call.ids["ratingId"])
    if kind != rating.type or value not in SCORES[kind]:
        raise Refused(400, "Invalid value for: body (ratingResult)")
    made = state.submit(number, rating.id, value=value, comment=body["comment"], submitted_at=body["submittedAt"])
    return DixaResponse(201, {"data": serializers.dump_result(made, rating.user_id)})


def ratings(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/{id}/ratings`."""
    found = state.conversation(call.conversation_id)
    newest = now() - timedelta(seconds=state.listing_lag)
    shown = [_as_of(rating, newest) for rating in found.ratings if rating.created_at <= newest]
    return respond([serializers.dump_rating(rating, found.channel) for rating in shown])


def _as_of(rating: Rating, moment: datetime) -> Rating:
    is_later = rating.result is not None and rating.result.received_at > moment
    return replace(rating, status="Offered", result=None) if is_later else rating


def messages(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/{id}/messages`, oldest first."""
    found = state.conversation(call.conversation_id)
    return respond([serializers.dump_message(message, found) for message in found.messages])


def message(state: State, call: Call) -> DixaResponse:
    """`POST /conversations/{id}/messages`."""
    number, body = call.conversation_id, call.load(request_bodies.MESSAGE)
    found, direction = state.conversation(number), body["_type"]
    if direction == "Outbound" and not body["agentId"]:
        raise Refused(400, "Invalid value for: body (agentId)")
    author = str(body["agentId"]) if direction == "Outbound" else found.requester.id
    value, text_format = _content(body, found.channel)
    made = Message(author, value, direction, text_format, external_id=body["externalId"])
    return respond(serializers.dump_added_message(state.add_message(number, made)))


def _content(body: Mapping[str, Any], channel: str) -> tuple[str, str]:
    """Return the text and its format."""
    if channel not in MESSAGE_CHANNELS:
        raise Refused(400, "Unsupported ConversationChannel")
    if channel in {"Sms", "WhatsApp"} and body["_type"] == "Inbound":
        raise Refused(400, "Invalid input for Message")
    content = body["content"]
    if channel == "WhatsApp" and body["attachments"] and content is None:
        return "", "Markdown"
    if content is None:
        raise Refused(400, "Invalid value for: body (content)")
    if not content["value"] or (channel == "WhatsApp" and content["_type"] != "Markdown"):
        raise Refused(400, "Invalid input for Message")
    return content["value"], content["_type"]


def close(state: State, call: Call) -> DixaResponse:
    """`PUT /conversations/{id}/close`."""
    if call.body:
        call.load(request_bodies.BY_USER)
    state.close(call.conversation_id)
    return DixaResponse(204)


def notes(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/{id}/notes`, oldest first."""
    number = call.conversation_id
    return respond([serializers.dump_note(note, number) for note in state.conversation(number).notes])


def note(state: State, call: Call) -> DixaResponse:
    """`POST /conversations/{id}/notes`."""
    number, body = call.conversation_id, call.load(request_bodies.NOTE)
    made = Note(str(body["agentId"] or state.agents[0].id), body["message"], body["createdAt"] or now())
    state.conversation(number).notes.append(made)
    return respond(serializers.dump_note(made, number))


def conversation_tags(state: State, call: Call) -> DixaResponse:
    """`GET /conversations/{id}/tags`."""
    return respond([serializers.dump_tag(tag) for tag in state.conversation(call.conversation_id).tags])


def tag(state: State, call: Call) -> DixaResponse:
    """`PUT /conversations/{id}/tags/{tagId}`."""
    state.add_tag(call.conversation_id, call.ids["tagId"])
    return DixaResponse(204)


def tags(state: State, _: Call) -> DixaResponse:
    """`GET /tags`."""
    return respond([serializers.dump_tag(each) for each in state.tags.values()])


def queues(state: State, _: Call) -> DixaResponse:
    """`GET /queues`."""
    return respond([serializers.dump_queue(each, state.organization) for each in state.queues.values()])


def end_user(state: State, call: Call) -> DixaResponse:
    """`GET /endusers/{userId}`: the requester of a conversation. An agent is none."""
    return respond(serializers.dump_end_user(state.requester(call.ids["userId"])))


def search(state: State, call: Call) -> DixaResponse:
    """`POST /search/conversations`, by the one filter used in this project: ClosedDate Between."""
    [condition] = call.load(request_bodies.SEARCH)["filters"]["conditions"]
    between = condition["field"]["operator"]
    found = state.closed_between(between["timestampFrom"], between["timestampTo"])
    size, page = read_page(call.query)
    shown, rest = found[page * size : (page + 1) * size], found[(page + 1) * size :]
    key = urlencode({"pageKey": page_key(size, page + 1)})
    meta = {"next": f"/beta/search/conversations/?{key}"} if rest else {}
    return DixaResponse(200, {"data": [{"id": number, "highlights": {}} for number in shown], "meta": meta})


_ONE = "/conversations/<conversationId>"

CALLS: Mapping[str, tuple[str, str, Callable[[State, Call], DixaResponse]]] = {
    "organization": ("GET", "/organization", organization),
    "conversation": ("GET", _ONE, conversation),
    "offer": ("POST", f"{_ONE}/ratings/offer", offer),
    "submit": ("POST", f"{_ONE}/ratings/<ratingId>/submit", submit),
    "ratings": ("GET", f"{_ONE}/ratings", ratings),
    "messages": ("GET", f"{_ONE}/messages", messages),
    "message": ("POST", f"{_ONE}/messages", message),
    "close": ("PUT", f"{_ONE}/close", close),
    "notes": ("GET", f"{_ONE}/notes", notes),
    "note": ("POST", f"{_ONE}/notes", note),
    "conversation_tags": ("GET", f"{_ONE}/tags", conversation_tags),
    "tag": ("PUT", f"{_ONE}/tags/<tagId>", tag),
    "tags": ("GET", "/tags", tags),
    "queues": ("GET", "/queues", queues),
    "end_user": ("GET", "/endusers/<userId>", end_user),
    "search": ("POST", "/search/conversations", search),
    **SETUP_CALLS,
}
"""All calls by the name used in faults: method, path after the version, and function."""


def perform(state: State, call: Call) -> DixaResponse:
    """Execute a call under the state's lock. Turn Refused into its response."""
    with state.lock:
        try:
            return CALLS[call.name][2](state, call)
        except Refused as refusal:
            return DixaResponse(refusal.status, {"message": refusal.message})
