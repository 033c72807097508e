"""Tags on a conversation. Dixa takes one that is there already, so doing it again is harmless."""

from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Protocol

from service.surveys.errors import DeliveryRefused, NotNow, Refused
from service.surveys.ports import Deadline, Slot, Told

_MAX_WAIT = timedelta(seconds=1)
_LOOK_AGAIN_SECONDS = 60.0


class Tags(Protocol):
    """What tagging needs of Dixa."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Take a turn of the shared pace."""

    def tags(self, slot: Slot) -> Mapping[str, str]:
        """List the organisation's tags, their ids by name."""

    def add_tag(self, slot: Slot, conversation_id: int, tag_id: str) -> None:
        """Tag a conversation."""


class AnswerTag:
    """Tags by name. The names are asked for once; again after a refusal, and after a minute for one not among them."""

    kind = "tag"
    is_at_once = False
    is_repeatable = True
    within: timedelta | None = None

    def __init__(self, dixa: Tags) -> None:
        self._dixa = dixa
        self._lock = Lock()
        self._ids: Mapping[str, str] = {}
        self._asked_at: float | None = None

    def act(self, told: Told, deadline: Deadline, *, again: bool) -> None:
        """Tag the conversation with `told.subject`."""
        _ = again
        tag_id = self._find(told.subject, deadline)
        try:
            self._dixa.add_tag(self._dixa.take_slot(deadline, _MAX_WAIT), told.record.conversation_id, tag_id)
        except Refused:
            self._forget()
            raise

    def _forget(self) -> None:
        """Ask for the names anew: a tag that was made again under its name has another id."""
        self._ids, self._asked_at = {}, None

    def _find(self, name: str, deadline: Deadline) -> str:
        if known := self._ids.get(name.casefold()):
            return known
        # One thread asks. The others have something else to do than to wait for a slow answer.
        if not self._lock.acquire(blocking=False):
            raise NotNow("Dixa is being asked for the names of the tags")
        try:
            if self._asked_at is None or monotonic() > self._asked_at + _LOOK_AGAIN_SECONDS:
                found = self._dixa.tags(self._dixa.take_slot(deadline, _MAX_WAIT))
                self._ids, self._asked_at = {each.casefold(): tag_id for each, tag_id in found.items()}, monotonic()
        finally:
            self._lock.release()
        try:
            return self._ids[name.casefold()]
        except KeyError:
            raise DeliveryRefused("Dixa has no tag of this name") from None
