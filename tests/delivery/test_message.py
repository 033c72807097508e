"""The link is sent as a message, by the right agent, and arrives once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.delivery.message import MessageDelivery
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.errors import CallError, DeliveryRefused, OutcomeUnknown, Refused, RetryLater
from service.surveys.model import Close, OfferProgress
from service.surveys.states import OfferState
from service.surveys.words import Sender
from tests.delivery.messages import KINDS, deliver, record_of


@pytest.mark.parametrize("channel", [*KINDS, "PstnPhone", "FacebookMessenger", "SomethingNew", None])
@pytest.mark.parametrize("agent_id", ["agent", None])
def test_message_needs_channel_and_agent(
    client: DixaClient, dixa: Sandbox, channel: str | None, agent_id: str | None
) -> None:
    record = record_of(dixa)
    close = Close(record.conversation_id, datetime.now(UTC), channel=channel, agent_id=agent_id)
    can_reach = MessageDelivery(client).can_reach(replace(record, close=close))
    assert can_reach is (channel in KINDS and agent_id is not None)
    assert dixa.calls == []


def test_a_record_without_a_close_gets_no_message(client: DixaClient, dixa: Sandbox) -> None:
    assert not MessageDelivery(client).can_reach(replace(record_of(dixa), close=None))


def test_the_surveys_agent_sends_unassigned_conversations_too(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    assert record.close
    agent = dixa.state.agents[-1].id
    terms = Survey(senders={"": Sender(agent=agent)})
    own = replace(record, terms=terms, close=replace(record.close, agent_id=None))
    assert MessageDelivery(client).can_reach(own)
    deliver(client, own)
    (message,) = dixa.messages(record.conversation_id)
    assert message.author_id == agent


def test_a_language_may_have_its_own_agent(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    danish = replace(record, offer=replace(record.offer, language="da-DK"))
    only_danish = Survey(senders={"da": Sender(agent=dixa.state.agents[-1].id)})
    assert record.close
    unassigned = replace(record.close, agent_id=None)
    assert not MessageDelivery(client).can_reach(replace(record, terms=only_danish, close=unassigned))
    assert MessageDelivery(client).can_reach(replace(danish, terms=only_danish, close=unassigned))
    deliver(client, replace(danish, terms=only_danish))
    (message,) = dixa.messages(record.conversation_id)
    assert message.author_id == dixa.state.agents[-1].id


@pytest.mark.parametrize(
    ("channel", "open_for", "can_reach"),
    [
        ("WhatsApp", None, True),
        ("WhatsApp", timedelta(hours=1), True),
        ("WhatsApp", -timedelta(hours=1), False),
        # For other channels the meaning of the time is unknown.
        ("WidgetChat", -timedelta(hours=1), True),
    ],
)
def test_an_expired_channel_gets_no_message(
    client: DixaClient, dixa: Sandbox, channel: str, open_for: timedelta | None, *, can_reach: bool
) -> None:
    record = record_of(dixa, channel=channel)
    open_until = None if open_for is None else datetime.now(UTC) + open_for
    assert MessageDelivery(client).can_reach(replace(record, open_until=open_until)) is can_reach


@pytest.mark.parametrize("loses", [Sandbox.executes_then_drops, Sandbox.executes_then_fails])
def test_after_a_lost_response_there_is_one_message(client: DixaClient, dixa: Sandbox, loses: object) -> None:
    assert callable(loses)
    loses(dixa, 1, call="message")
    record = record_of(dixa)
    with pytest.raises(OutcomeUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 1
    assert [each.call for each in dixa.calls] == ["message", "messages"]
    assert dixa.report.duplicate_messages == []


def test_after_a_lost_request_there_is_one_message(client: DixaClient, dixa: Sandbox) -> None:
    dixa.drops_before(1, call="message")
    record = record_of(dixa)
    with pytest.raises(OutcomeUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 1


def test_a_refused_duplicate_counts_as_delivered(client: DixaClient, dixa: Sandbox) -> None:
    """The state is `offered` because Redis has lost the later state."""
    record = record_of(dixa)
    deliver(client, record)
    deliver(client, record)
    assert len(dixa.messages(record.conversation_id)) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
def test_other_refusals_are_raised(client: DixaClient, dixa: Sandbox, status: int) -> None:
    dixa.fails(1, status, call="message")
    record = record_of(dixa)
    with pytest.raises(Refused) as caught:
        deliver(client, record)
    assert caught.value.status == status
    assert dixa.messages(record.conversation_id) == []


@pytest.mark.parametrize("state", [OfferState.OFFERED, OfferState.DELIVERING])
def test_nothing_is_sent_after_a_failed_look_up(client: DixaClient, dixa: Sandbox, state: OfferState) -> None:
    record = record_of(dixa, state=state)
    dixa.fails(1, 400, call="message")
    dixa.fails(1, 503, call="messages")
    with pytest.raises(RetryLater):
        deliver(client, record)
    assert dixa.messages(record.conversation_id) == []
    assert [each.call for each in dixa.calls].count("message") == (state is OfferState.OFFERED)


def test_another_surveys_message_does_not_count(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    deliver(client, replace(record, survey_id=f"{record.survey_id}-2"))
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 2


def test_without_an_agent_close_or_channel_nothing_is_sent(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    assert record.close is not None
    own_agent = replace(record, terms=Survey(senders={"": Sender(agent="agent")}))
    for refused in (
        replace(record, close=replace(record.close, agent_id=None)),
        replace(own_agent, close=None),
        replace(own_agent, close=replace(record.close, channel=None)),
    ):
        with pytest.raises(DeliveryRefused, match="no agent to send the message"):
            deliver(client, refused)
    assert dixa.calls == []


def test_nothing_is_sent_without_time_left(client: DixaClient, dixa: Sandbox) -> None:
    with pytest.raises(CallError):
        deliver(client, record_of(dixa), 0)
    assert dixa.calls == []
