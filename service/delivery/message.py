"""The message channel: an outbound message with the link, in the conversation itself.

Channels that take one and the content types they take are those of Dixa's OpenAPI description, "Add message".
"""

import html
from datetime import timedelta
from typing import Protocol

from service.surveys.model import OfferState, Record
from service.surveys.ports import Deadline, DixaRefused, Message, Slot

_KINDS = {
    "WidgetChat": "Text",
    "Messenger": "Text",
    "ContactForm": "Html",
    "Email": "Html",
    "Sms": "Text",
    "WhatsApp": "Markdown",
}
_PATIENCE = timedelta(seconds=1)
_DUPLICATE_OR_WORSE = 400


class Messages(Protocol):
    """What this channel needs of Dixa."""

    def slot(self, deadline: Deadline, patience: timedelta) -> Slot:
        """Take a turn of the shared pace."""

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        """List a conversation's messages."""

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """Add an outbound message, unless there is one with this `external_id`: that is refused with 400."""


class MessageDelivery:
    """Sends the link as the assignee; the message's `externalId` keeps it from being sent twice."""

    name = "message"

    def __init__(self, dixa: Messages) -> None:
        self._dixa = dixa

    def can_reach(self, record: Record) -> bool:
        """An outbound message needs a channel that takes one and an agent to send it."""
        close = record.close
        return close is not None and close.channel in _KINDS and close.agent_id is not None

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the message, unless it is in the conversation already."""
        close = record.close
        if close is None or close.channel is None or close.agent_id is None:
            raise DixaRefused("no agent to send the message", _DUPLICATE_OR_WORSE)
        if record.offer.state is OfferState.DELIVERING and self._is_there(record, deadline):
            return
        kind = _KINDS[close.channel]
        try:
            self._dixa.add_message(
                self._dixa.slot(deadline, _PATIENCE),
                record.conversation_id,
                agent_id=close.agent_id,
                kind=kind,
                text=write_message(kind, link),
                external_id=external_id(record),
            )
        except DixaRefused as error:
            # A duplicate is a 400, and so are five other causes, with nothing to tell them apart.
            if error.status != _DUPLICATE_OR_WORSE or not self._is_there(record, deadline):
                raise

    def _is_there(self, record: Record, deadline: Deadline) -> bool:
        found = self._dixa.messages(self._dixa.slot(deadline, _PATIENCE), record.conversation_id)
        return any(message.external_id == external_id(record) for message in found)


def external_id(record: Record) -> str:
    """Name a survey's message in Dixa."""
    return f"afterword-{record.survey_id}"


def write_message(kind: str, link: str) -> str:
    """Write the message. The link ends at white space or a quote, never at a full stop."""
    if kind == "Html":
        return (
            "<p>How satisfied are you with the help you got? It takes less than a minute to tell us:</p>"
            f'<p><a href="{html.escape(link)}">Rate your support</a></p>'
        )
    return f"How satisfied are you with the help you got? It takes less than a minute to tell us: {link}"
