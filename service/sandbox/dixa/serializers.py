"""Builds the JSON of API responses. Each function makes one schema of the OpenAPI description."""

from typing import Any

from service.sandbox.dixa.model import (
    LANGUAGE_CHANNELS,
    Conversation,
    Message,
    Note,
    Organization,
    Person,
    Queue,
    Rating,
    Result,
    Tag,
    iso,
    now,
)

Json = dict[str, Any]

_OWN_KIND = ("ContactForm", "Email", "FacebookMessenger", "Messenger", "PstnPhone", "Sms", "Twitter", "WhatsApp")
"""Channels whose conversations have a schema of their name."""

_KINDS = {channel: f"{channel}Conversation" for channel in _OWN_KIND} | {"WidgetChat": "ChatConversation"}
_ATTRIBUTES = {
    "WidgetChat": "ChatAttributes",
    "Messenger": "ChatAttributes",
    "FacebookMessenger": "FacebookMessengerAttributes",
    "Sms": "SmsAttributes",
    "Twitter": "TwitterAttributes",
    "WhatsApp": "WhatsAppAttributes",
}
_PHONE = "+4570123456"


def bracketed(text: str) -> str:
    """Append the zone of messages and notes: `2021-12-01T12:46:36.581Z[GMT]`."""
    return f"{text}[GMT]"


def dump_organization(organization: Organization) -> Json:
    """Make an OrganizationDetails."""
    return {
        "id": organization.id,
        "name": organization.name,
        "subdomain": organization.subdomain,
        "status": "Active",
    }


def dump_conversation(conversation: Conversation) -> Json:
    """Make the kind of Conversation for its channel."""
    shared = {
        "id": conversation.id,
        "requesterId": conversation.requester.id,
        "channel": conversation.channel,
        "createdAt": iso(conversation.created_at),
        "direction": conversation.direction,
        "state": conversation.state,
        "stateUpdatedAt": iso(conversation.state_updated_at),
        "customAttributes": [],
    }
    if conversation.link:
        shared["link"] = {"parentId": conversation.link.parent_id, "_type": conversation.link.type}
    if conversation.transport_expires_at:
        shared["transportExpiresAt"] = iso(conversation.transport_expires_at)
    if conversation.anonymized_at:
        return shared | {"anonymizedAt": iso(conversation.anonymized_at), "_type": "AnonymizedConversation"}
    kind = _KINDS.get(conversation.channel, "GenericConversation")
    return shared | _handling(conversation) | _of_channel(conversation) | {"_type": kind}


def _handling(conversation: Conversation) -> Json:
    assigned_at = iso(conversation.created_at)
    fields: Json = {}
    if conversation.agent:
        fields["assignment"] = {"agentId": conversation.agent.id, "assignedAt": assigned_at}
    if conversation.queue:
        fields["queue"] = {"id": conversation.queue.id, "queuedAt": assigned_at}
    return fields


def _of_channel(conversation: Conversation) -> Json:
    fields: Json = {}
    if conversation.channel in {"Email", "ContactForm"}:
        fields["fromEmail"] = conversation.requester.email or "unknown@example.com"
        fields["toEmail"] = conversation.contact_point
        fields["integrationEmail"] = "nordlys@email.dixa.io"
        fields |= {"subject": conversation.subject} if conversation.subject else {}
    if conversation.channel == "Sms":
        fields |= {"fromNumber": conversation.requester.phone or "", "toNumber": _PHONE}
    if conversation.channel == "Twitter":
        fields["conversationType"] = "DirectMessage"
    if conversation.channel in {"WidgetChat", "Messenger"}:
        fields["browserInfo"] = {"name": "Chrome", "originatingUrl": "https://nordlys.example/"}
    if conversation.channel in LANGUAGE_CHANNELS and conversation.language:
        fields["language"] = conversation.language
    return fields


def dump_rating(rating: Rating, channel: str) -> Json:
    """Make a ConversationRating; those of the API have no language and fewer timestamps than Dixa's own."""
    times = {"created_at": iso(rating.created_at), "modified_at": iso(rating.created_at)}
    if rating.status in {"Offered", "Rated"}:
        times["offered_at"] = iso(rating.offered_at)
    if rating.is_builtin:
        times |= {"scheduled_at": iso(rating.created_at), "scheduled_for": iso(rating.offered_at)}
    fields: Json = {
        "id": rating.id,
        "ratingType": rating.type,
        "conversationChannel": channel,
        "agentId": rating.agent_id,
        "userId": rating.user_id,
        "ratingStatus": rating.status,
        "timestamps": times,
    }
    if rating.language:
        fields["language"] = rating.language
    if rating.result:
        times |= {"rated_at": iso(rating.result.submitted_at), "modified_at": iso(rating.result.received_at)}
        fields["ratingScore"] = rating.result.value
        fields |= {"ratingComment": rating.result.comment} if rating.result.comment else {}
    return fields


def dump_offer(rating: Rating) -> Json:
    """Make a RatingOffer."""
    return {
        "id": rating.id,
        "userId": rating.user_id,
        "agentId": rating.agent_id,
        "ratingType": rating.type,
        "offeredAt": iso(rating.offered_at),
    }


def dump_result(result: Result, user_id: str) -> Json:
    """Make a RatingResult."""
    fields = {
        "ratingId": result.rating_id,
        "userId": user_id,
        "ratingResult": {"value": result.value, "_type": result.type},
        "submittedAt": iso(result.submitted_at),
    }
    return fields if result.comment is None else fields | {"comment": result.comment}


def dump_message(message: Message, conversation: Conversation) -> Json:
    """Make a Message of the list, with attributes by channel."""
    fields = {
        "id": message.id,
        "authorId": message.author_id,
        "createdAt": bracketed(iso(message.created_at)),
        "attributes": _attributes(message, conversation) | {"direction": message.direction},
    }
    return fields if message.external_id is None else fields | {"externalId": message.external_id}


def _attributes(message: Message, conversation: Conversation) -> Json:
    content = {"value": message.value, "_type": message.format}
    if conversation.channel == "PstnPhone":
        return {"from": conversation.requester.phone or "", "to": _PHONE, "duration": 240, "_type": "PhoneAttributes"}
    if conversation.channel in {"Email", "ContactForm"}:
        ours = {"email": conversation.contact_point, "name": "Help"}
        theirs = {"email": conversation.requester.email or "unknown@example.com", "name": conversation.requester.name}
        sender, receiver = (ours, theirs) if message.direction == "Outbound" else (theirs, ours)
        return {
            "emailContent": {"content": content, "_type": "Regular"},
            "from": sender,
            "to": [receiver],
            "cc": [],
            "bcc": [],
            "isAutoReply": message.is_automated,
            "inlineImages": [],
            "attachments": [],
            "_type": "EmailAttributes",
        }
    kind = _ATTRIBUTES.get(conversation.channel, "GenericAttributes")
    fields = {"content": content, "attachments": [], "_type": kind}
    return fields | {"isAutomated": message.is_automated} if kind == "ChatAttributes" else fields


def dump_added_message(message: Message) -> Json:
    """Make the CreateMessageOutputData for a new message. Its time has no zone in brackets."""
    fields = {
        "messageId": message.id,
        "authorId": message.author_id,
        "direction": message.direction,
        "content": {"value": message.value, "_type": message.format},
        "createdAt": iso(message.created_at),
    }
    return fields if message.external_id is None else fields | {"externalId": message.external_id}


def dump_note(note: Note, number: int) -> Json:
    """Make an InternalNoteData."""
    return {
        "id": note.id,
        "authorId": note.author_id,
        "createdAt": bracketed(iso(note.created_at)),
        "csid": number,
        "message": note.message,
    }


def dump_tag(tag: Tag) -> Json:
    """Make a Tag."""
    return {"id": tag.id, "name": tag.name, "state": "Active"}


def dump_end_user(person: Person) -> Json:
    """Make an EndUser."""
    fields = {"id": person.id, "createdAt": iso(now()), "displayName": person.name}
    return fields | {name: text for name, text in (("email", person.email), ("phoneNumber", person.phone)) if text}


def dump_queue(queue: Queue, organization: Organization) -> Json:
    """Make a Queue."""
    return {
        "id": queue.id,
        "name": queue.name,
        "isDefault": False,
        "organizationId": organization.id,
        "queueThresholds": {},
        "slaCalculationMethod": "AbandonedIgnored",
        "doNotOfferTimeouts": {},
        "isDoNotOfferEnabled": False,
    }
