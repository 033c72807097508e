"""Makes a close from Dixa's API, with the facts that its webhook would have brought."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Final

from service.dixa.client import DixaClient
from service.dixa.events import CONTACT, MEMBER
from service.dixa.low_priority import LowPriorityDixa
from service.rules.looked_up import close_of, with_requester
from service.surveys.definition import Survey
from service.surveys.errors import Forbidden, Refused
from service.surveys.model import Close
from service.surveys.ports import Conversation
from service.surveys.states import FoundBy

_NOT_FOUND: Final = 404


class CloseLookup:
    """Looks up closed conversations, at low priority. Each method raises a CallError unless it succeeds.

    The API has no contact point of a chat or a call. `surveys` show which facts are needed.
    """

    def __init__(self, dixa: DixaClient, low_priority: LowPriorityDixa, surveys: Iterable[Survey]) -> None:
        self._dixa = dixa
        self._call = low_priority.call
        self._needs_assignee_type = any(each.match.assignee_types for each in surveys)

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
        is_agent = self._needs_assignee_type and found.agent_id in self._agents
        return self.with_requester(replace(found, found_by=found_by, assignee_type=MEMBER if is_agent else None))

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
    def _agents(self) -> frozenset[str]:
        """The ids of all agents. A bot is none."""
        found = set[str]()
        key: str | None = None
        while True:
            page, next_key = self._call(partial(self._dixa.agents, page_key=key))
            found.update(page)
            if not page or next_key in (None, key):
                return frozenset(found)
            key = next_key

    @cached_property
    def _queue_names(self) -> Mapping[str, str]:
        return self._call(self._dixa.queues)
