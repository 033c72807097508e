"""The note with the link is added once, after any number of attempts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.delivery.note import NoteDelivery
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.errors import OutcomeUnknown, Refused, RetryLater
from service.surveys.model import OfferProgress, Record
from service.surveys.ports import Deadline
from service.surveys.states import OfferState
from tests.delivery.messages import LINK, deliver_once, record_of

BEGUN = OfferProgress(OfferState.DELIVERING)


def deliver(client: DixaClient, record: Record) -> None:
    deliver_once(NoteDelivery(client), record, LINK, Deadline(timedelta(seconds=5)))


def test_the_note_has_the_link_and_its_reference(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa, channel="PstnPhone")
    deliver(client, record)
    (note,) = dixa.notes(record.conversation_id)
    assert note.message.split("\n")[1:] == [LINK, f"[afterword-{record.survey_id}-link]"]
    assert dixa.messages(record.conversation_id) == []


@pytest.mark.parametrize("loses", [Sandbox.executes_then_drops, Sandbox.executes_then_fails, Sandbox.drops_before])
def test_after_a_lost_response_there_is_one_note(client: DixaClient, dixa: Sandbox, loses: Any) -> None:
    loses(dixa, 1, call="note")
    record = record_of(dixa)
    with pytest.raises(OutcomeUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=BEGUN))
    assert len(dixa.notes(record.conversation_id)) == 1


def test_no_note_is_added_after_a_failed_look_up(client: DixaClient, dixa: Sandbox) -> None:
    dixa.fails(1, 503, call="notes")
    record = record_of(dixa, state=OfferState.DELIVERING)
    with pytest.raises(RetryLater):
        deliver(client, record)
    assert dixa.notes(record.conversation_id) == []


def test_another_surveys_note_does_not_count(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    deliver(client, replace(record, survey_id=f"{record.survey_id}-2"))
    deliver(client, replace(record, offer=BEGUN))
    assert len(dixa.notes(record.conversation_id)) == 2


def test_unassigned_conversation_gets_no_note(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    assert record.close is not None
    unassigned = replace(record, close=replace(record.close, agent_id=None))
    assert NoteDelivery(client).can_reach(record)
    assert not NoteDelivery(client).can_reach(unassigned)
    assert not NoteDelivery(client).can_reach(replace(record, close=None))
    with pytest.raises(Refused):
        deliver(client, unassigned)
    assert dixa.calls == []
