"""Internal notes, in English: a channel through the agent, who passes on the link, and the note about an answer.

Dixa accepts the same note twice. So each note ends with a reference, and a retry first searches the notes for it.
"""

from service.delivery.answer_text import describe, quote
from service.surveys.errors import DeliveryRefused
from service.surveys.model import Record
from service.surveys.ports import Action, Deadline, Delivery, Dixa, FollowUpContext


class NoteDelivery(Delivery):
    """Gives the link to the agent, who may reach the customer in another way."""

    name = "note"

    def __init__(self, dixa: Dixa) -> None:
        self._dixa = dixa

    def can_reach(self, record: Record) -> bool:
        """Return whether there is an agent to read the note."""
        return record.close is not None and record.close.agent_id is not None

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Return whether the note is in the conversation."""
        return _has_note(self._dixa, record, _reference(record), deadline)

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Add the note."""
        if not self.can_reach(record):
            raise DeliveryRefused("no agent to pass the link on")
        request = "Please pass this survey link on to the customer. It is for this conversation only:"
        text = f"{request}\n{link}\n{_reference(record)}"
        self._dixa.add_note(self._dixa.take_slot(deadline), record.conversation_id, text)


class AnswerNote(Action):
    """Writes the answer into the conversation, for its agents."""

    kind = "note"

    def __init__(self, dixa: Dixa) -> None:
        self._dixa = dixa

    def act(self, context: FollowUpContext, deadline: Deadline, *, is_retry: bool) -> None:
        """Add the note. On a retry, only if it is not there yet."""
        reference = f"[afterword-{context.record.survey_id}-answer]"
        if is_retry and _has_note(self._dixa, context.record, reference, deadline):
            return
        text = f"The customer answered the survey. {describe(context)}{quote(context.comment)}\n{reference}"
        self._dixa.add_note(self._dixa.take_slot(deadline), context.record.conversation_id, text)


def _reference(record: Record) -> str:
    return f"[afterword-{record.survey_id}-link]"


def _has_note(dixa: Dixa, record: Record, reference: str, deadline: Deadline) -> bool:
    """Return whether a note's last line is the reference. On other lines a customer's comment may contain it."""
    found = dixa.notes(dixa.take_slot(deadline), record.conversation_id)
    return any(text.rstrip().rpartition("\n")[2].strip() == reference for text in found)
