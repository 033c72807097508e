"""A conversation is tagged by name; the names of the tags are read rarely."""

from datetime import timedelta

import pytest

from service.delivery import tag
from service.delivery.tag import AnswerTag
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.errors import DeliveryRefused, NotNow
from service.surveys.ports import Deadline, FollowUpContext
from tests.delivery.messages import record_of


def add(action: AnswerTag, dixa: Sandbox, name: str) -> list[str]:
    """Tag a new conversation, and return its tags."""
    record = record_of(dixa)
    action.act(FollowUpContext(record, subject=name), Deadline(timedelta(seconds=5)), is_retry=False)
    return [each.name for each in dixa.conversation(record.conversation_id).tags]


def count_reads(dixa: Sandbox) -> int:
    return [each.call for each in dixa.calls].count("tags")


def test_the_names_are_read_once(client: DixaClient, dixa: Sandbox) -> None:
    dixa.state.tag("angry")
    dixa.state.tag("Refund")
    action = AnswerTag(client)
    assert (add(action, dixa, "Angry"), add(action, dixa, "refund")) == (["angry"], ["Refund"])
    assert count_reads(dixa) == 1


def test_an_unknown_name_reloads_the_names_after_a_minute(
    client: DixaClient, dixa: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = AnswerTag(client)
    for now, reads in ((5.0, 1), (64.0, 1), (66.0, 2)):
        monkeypatch.setattr(tag, "monotonic", lambda now=now: now)
        with pytest.raises(DeliveryRefused, match="no tag of this name"):
            add(action, dixa, "late")
        assert count_reads(dixa) == reads
    dixa.state.tag("late")
    monkeypatch.setattr(tag, "monotonic", lambda: 140.0)
    assert add(action, dixa, "late") == ["late"]


def test_no_thread_waits_while_another_reads_the_names(client: DixaClient, dixa: Sandbox) -> None:
    action = AnswerTag(client)
    with action._lock, pytest.raises(NotNow, match="another thread is reading"):
        add(action, dixa, "angry")
    assert count_reads(dixa) == 0
