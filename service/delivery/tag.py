"""Tags a conversation after an answer. Adding the same tag twice is harmless in Dixa."""

from collections.abc import Mapping
from threading import Lock
from time import monotonic

from service.surveys.errors import DeliveryRefused, NotNow, Refused
from service.surveys.ports import Action, Deadline, Dixa, FollowUpContext

_REFRESH_SECONDS = 60.0


class AnswerTag(Action):
    """Tags by name. Caches the names; reads them again after a refusal, and for an unknown name after a minute."""

    kind = "tag"

    def __init__(self, dixa: Dixa) -> None:
        self._dixa = dixa
        self._lock = Lock()
        self._ids: Mapping[str, str] = {}
        self._read_at: float | None = None

    def act(self, context: FollowUpContext, deadline: Deadline, *, is_retry: bool) -> None:
        """Tag the conversation with `context.subject`."""
        tag_id = self._find(context.subject, deadline)
        try:
            self._dixa.add_tag(self._dixa.take_slot(deadline), context.record.conversation_id, tag_id)
        except Refused:
            # A tag has another id after it was deleted and made again.
            self._ids, self._read_at = {}, None
            raise

    def _find(self, name: str, deadline: Deadline) -> str:
        if known := self._ids.get(name.casefold()):
            return known
        # Only one thread reads the names. The others do not wait for it: they return to other work.
        if not self._lock.acquire(blocking=False):
            raise NotNow("another thread is reading the names of the tags")
        try:
            if self._read_at is None or monotonic() > self._read_at + _REFRESH_SECONDS:
                found = self._dixa.tags(self._dixa.take_slot(deadline))
                self._ids, self._read_at = {each.casefold(): tag_id for each, tag_id in found.items()}, monotonic()
        finally:
            self._lock.release()
        try:
            return self._ids[name.casefold()]
        except KeyError:
            raise DeliveryRefused("Dixa has no tag of this name") from None
