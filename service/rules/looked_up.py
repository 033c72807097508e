"""A close made from Dixa's API, without its webhook."""

from dataclasses import replace
from datetime import datetime

from service.surveys.mailbox import read_address
from service.surveys.model import Close
from service.surveys.ports import Conversation, EndUser


def close_of(conversation: Conversation, queue_name: str | None, closed_at: datetime) -> Close:
    """Return the close of a conversation, with the facts that the conversation itself has."""
    return Close(
        conversation_id=conversation.id,
        closed_at=closed_at,
        channel=conversation.channel or None,
        direction=conversation.direction,
        queue_id=conversation.queue_id,
        queue_name=queue_name,
        contact_point=conversation.contact_point,
        requester_id=conversation.requester_id,
        agent_id=conversation.agent_id,
        tags=None,
        email=conversation.email,
    )


def with_requester(close: Close, requester: EndUser) -> Close:
    """Add the requester's address and number: an opt-out or a cooldown may be of one of them."""
    address = read_address((requester.email or "").strip())
    return replace(
        close,
        email=address or close.email,
        phone=requester.phone,
        odd_email=None if address else requester.email,
    )
