"""Makes a close from Dixa's API, with the facts that its webhook would have brought."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final

from service.dixa.client import DixaClient
from service.dixa.events import CONTACT, MEMBER
from service.dixa.low_priority import LowPriorityDixa
from service.rules.looked_up import close_of, with_requester
from service.surveys.errors import Forbidden, Refused
from service.surveys.model import Close
from service.surveys.ports import Conversation
from service.surveys.states import FoundBy

_NOT_FOUND: Final = 404


class CloseLookup:
    """Looks up closed conversations, at low priority. Each method raises a CallError unless it succeeds.

    The API has no contact point of a chat or a call, and doesn't tell bots from agents.
    """

    def __init__(self, dixa: DixaClient, low_priority: LowPriorityDixa) -> None:
        self._dixa = dixa
        self._call = low_priority.call

    def conversation(self, number: int) -> Conversation:
        """Fetch a conversation."""
        return self._call(lambda slot: self._dixa.conversation(slot, number))

    def close(self, conversation: Conversation, found_by: FoundBy) -> Close | None:
        """Return the close of a conversation, or None if it isn't closed now or the time is unknown."""
        is_closed = conversation.state == "Closed" and not conversation.is_erased
        if not is_closed or conversation.changed_at is None:
            return None
        queue_name = self._queue_names.get(conversation.queue_id) if conversation.queue_id else None
        found = close_of(conversation, queue_name, conversation.changed_at)
        return self.with_requester(replace(found, found_by=found_by))

    def with_requester(self, close: Close) -> Close:
        """Add the requester's address, number and type. Dixa knows a member as an agent, and not as an end user."""
        requester_id = close.requester_id
        if not requester_id:
            return close
        try:
            requester = self._call(lambda slot: self._dixa.end_user(slot, requester_id))
        except Forbidden:
            raise
        except Refused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            return replace(close, user_type=MEMBER)
        return replace(with_requester(close, requester), user_type=CONTACT)

    @cached_property
    def _queue_names(self) -> Mapping[str, str]:
        return self._call(self._dixa.queues)
