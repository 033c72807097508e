"""Suppression: opt-outs, and the cooldown between two surveys to the same customer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.rules.identity import Identities
from service.surveys.model import Close, Record
from service.surveys.ports import Conversation, OptOuts

MAX_EARLIER: Final = 4
"""How many surveys before its own a cooldown slot names, for the Custom Card."""


@dataclass(frozen=True, slots=True)
class SuppressionPolicy:
    """Recognises a customer across conversations.

    A cooldown slot is kept for `cooldown_retention`, and names up to `max_earlier` surveys before its own.
    """

    opt_outs: OptOuts
    identities: Identities
    cooldown_retention: timedelta = timedelta()
    max_earlier: int = 0

    def has_opted_out(self, record: Record, conversation: Conversation) -> bool:
        """Return whether the requester, or another identity of the same person, has opted out."""
        requester_id = (record.close and record.close.requester_id) or conversation.requester_id
        return self.opt_outs.has(requester_id, record.close.person if record.close else ())

    def hashes_of(self, close: Close, conversation: Conversation) -> tuple[str, ...]:
        """Return the hashes of the requester, each once."""
        of_requester = self.identities.hashes_of(close.requester_id or conversation.requester_id)
        return tuple(dict.fromkeys((*close.person, *of_requester)))
