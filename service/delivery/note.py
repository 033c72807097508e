"""Internal notes: the channel that asks the agent to pass the link on, and what an answer said.

Dixa refuses no second note, so before one is repeated the conversation's notes are looked through for its reference.
Agents are written to in English.
"""

from datetime import timedelta
from typing import Protocol

from service.delivery.answer_text import describe, quote
from service.surveys.errors import DeliveryRefused
from service.surveys.model import Record
from service.surveys.ports import Deadline, Slot, Told

_MAX_WAIT = timedelta(seconds=1)


class Notes(Protocol):
    """What notes need of Dixa."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Take a turn of the shared pace."""

    def notes(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """List the texts of a conversation's notes."""

    def add_note(self, slot: Slot, conversation_id: int, text: str) -> None:
        """Add a note."""


class NoteDelivery:
    """Leaves the link with the agent, who knows another way to the customer."""

    name = "note"
    reminds = False

    def __init__(self, dixa: Notes) -> None:
        self._dixa = dixa

    def can_reach(self, record: Record) -> bool:
        """A note needs an agent who reads it."""
        return record.close is not None and record.close.agent_id is not None

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Look for the note in the conversation."""
        return _is_there(self._dixa, record, _reference(record), deadline)

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Add the note."""
        if not self.can_reach(record):
            raise DeliveryRefused("no agent to pass the link on")
        request = "Please pass this survey link on to the customer. It is for this conversation only:"
        text = f"{request}\n{link}\n{_reference(record)}"
        self._dixa.add_note(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id, text)


class AnswerNote:
    """Writes what the customer said where the agents see it."""

    kind = "note"
    is_at_once = False
    is_repeatable = True
    within: timedelta | None = None

    def __init__(self, dixa: Notes) -> None:
        self._dixa = dixa

    def act(self, told: Told, deadline: Deadline, *, again: bool) -> None:
        """Add the note, unless it is there already."""
        reference = f"[afterword-{told.record.survey_id}-answer]"
        if again and _is_there(self._dixa, told.record, reference, deadline):
            return
        text = f"The customer answered the survey. {describe(told)}{quote(told.comment)}\n{reference}"
        self._dixa.add_note(self._dixa.take_slot(deadline, _MAX_WAIT), told.record.conversation_id, text)


def _reference(record: Record) -> str:
    return f"[afterword-{record.survey_id}-link]"


def _is_there(dixa: Notes, record: Record, reference: str, deadline: Deadline) -> bool:
    """Look for a note that ends in the reference: anywhere else a customer may have written it."""
    found = dixa.notes(dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id)
    return any(text.rstrip().rpartition("\n")[2].strip() == reference for text in found)
