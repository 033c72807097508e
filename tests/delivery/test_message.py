"""A link goes out as a message once, in the form that its channel takes."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from service.delivery.message import MessageDelivery, external_id, write_message
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.model import Close, OfferProgress, OfferState, Record
from service.surveys.ports import Deadline, DixaError, DixaRefused, DixaUnavailable, DixaUnknown
from tests.telling import AT_ONCE

LINK = "https://survey.example/s/.eJy-token_.awL0gw.2N7liE0OQkU14bIyfhEsuVDgIg8"
KINDS = {
    "WidgetChat": "Text",
    "Messenger": "Text",
    "ContactForm": "Html",
    "Email": "Html",
    "Sms": "Text",
    "WhatsApp": "Markdown",
}


def record_of(dixa: Sandbox, *, channel: str = "Email", state: OfferState = OfferState.OFFERED) -> Record:
    """An offered survey of a new conversation."""
    number = dixa.make_conversation(channel=channel)
    agent = dixa.conversation(number).agent
    assert agent is not None
    now = datetime.now(UTC)
    close = Close(number, now, channel=channel, agent_id=agent.id)
    return Record(str(number), number, now, close, AT_ONCE, OfferProgress(state))


def deliver(client: DixaClient, record: Record, seconds: float = 5.0) -> None:
    MessageDelivery(client).deliver(record, LINK, Deadline(timedelta(seconds=seconds)))


@pytest.mark.parametrize("channel", KINDS)
def test_each_channel_gets_the_kind_of_text_that_it_takes(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    record = record_of(dixa, channel=channel)
    deliver(client, record)
    (message,) = dixa.messages(record.conversation_id)
    assert (message.format, message.direction) == (KINDS[channel], "Outbound")
    assert message.external_id == external_id(record) == f"afterword-{record.survey_id}"
    assert record.close is not None
    assert message.author_id == record.close.agent_id
    assert LINK in message.value


@pytest.mark.parametrize("channel", [*KINDS, "PstnPhone", "FacebookMessenger", "SomethingNew", None])
@pytest.mark.parametrize("agent_id", ["agent", None])
def test_who_can_be_reached(client: DixaClient, dixa: Sandbox, channel: str | None, agent_id: str | None) -> None:
    record = record_of(dixa)
    close = Close(record.conversation_id, datetime.now(UTC), channel=channel, agent_id=agent_id)
    can_reach = MessageDelivery(client).can_reach(replace(record, close=close))
    assert can_reach is (channel in KINDS and agent_id is not None)
    assert dixa.calls == []


def test_a_record_that_was_made_from_a_link_needs_no_message(client: DixaClient, dixa: Sandbox) -> None:
    assert not MessageDelivery(client).can_reach(replace(record_of(dixa), close=None))


@pytest.mark.parametrize("kind", sorted(set(KINDS.values())))
def test_the_link_ends_at_white_space_or_a_quote(kind: str) -> None:
    """A mail program takes whatever else follows as a part of it, a full stop above all."""
    text = write_message(kind, LINK)
    ends = [text[found.end() : found.end() + 1] for found in re.finditer(re.escape(LINK), text)]
    assert ends
    assert all(end in ("", " ", "\n", '"') for end in ends)
    before = [text[found.start() - 1 : found.start()] for found in re.finditer(re.escape(LINK), text)]
    assert all(each in ("", " ", "\n", '"') for each in before)


class Links(HTMLParser):
    """What a mail program makes of a message: where it links to, and its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.elements: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize(
    "link",
    [LINK, f"{LINK}?a=1&b=2&copy=3", f'{LINK}"><script>alert(1)</script>', f"{LINK}'<b>"],
    ids=lambda link: link[60:],
)
def test_in_html_the_link_is_escaped(link: str) -> None:
    found = Links(write_message("Html", link))
    assert found.links == [link]
    assert found.elements == {"p", "a"}


@pytest.mark.parametrize("kind", ["Text", "Markdown"])
def test_in_plain_text_the_link_is_as_it_is(kind: str) -> None:
    assert f"{LINK}?a=1&b=2" in write_message(kind, f"{LINK}?a=1&b=2")


@pytest.mark.parametrize("loses", [Sandbox.executes_then_drops, Sandbox.executes_then_fails])
def test_a_lost_answer_then_a_second_delivery_is_one_message(client: DixaClient, dixa: Sandbox, loses: object) -> None:
    assert callable(loses)
    loses(dixa, 1, call="message")
    record = record_of(dixa)
    with pytest.raises(DixaUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 1
    assert [each.call for each in dixa.calls] == ["message", "messages"]
    assert dixa.report.duplicate_messages == []


def test_a_lost_call_then_a_second_delivery_is_one_message(client: DixaClient, dixa: Sandbox) -> None:
    dixa.drops_before(1, call="message")
    record = record_of(dixa)
    with pytest.raises(DixaUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 1


def test_a_duplicate_that_is_refused_is_delivered(client: DixaClient, dixa: Sandbox) -> None:
    """The record says `offered`: Redis has lost that it was being delivered."""
    record = record_of(dixa)
    deliver(client, record)
    deliver(client, record)
    assert len(dixa.messages(record.conversation_id)) == 1


@pytest.mark.parametrize("status", [400, 404, 422])
def test_another_refusal_is_one(client: DixaClient, dixa: Sandbox, status: int) -> None:
    dixa.fails(1, status, call="message")
    record = record_of(dixa)
    with pytest.raises(DixaRefused) as caught:
        deliver(client, record)
    assert caught.value.status == status
    assert dixa.messages(record.conversation_id) == []


@pytest.mark.parametrize("state", [OfferState.OFFERED, OfferState.DELIVERING])
def test_nothing_is_sent_after_a_look_that_failed(client: DixaClient, dixa: Sandbox, state: OfferState) -> None:
    record = record_of(dixa, state=state)
    dixa.fails(1, 400, call="message")
    dixa.fails(1, 503, call="messages")
    with pytest.raises(DixaUnavailable):
        deliver(client, record)
    assert dixa.messages(record.conversation_id) == []
    assert [each.call for each in dixa.calls].count("message") == (state is OfferState.OFFERED)


def test_the_message_of_another_survey_is_not_ours(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    deliver(client, replace(record, survey_id=f"{record.survey_id}-2"))
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert len(dixa.messages(record.conversation_id)) == 2


def test_without_an_agent_it_is_refused_before_it_is_sent(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    assert record.close is not None
    with pytest.raises(DixaRefused):
        deliver(client, replace(record, close=replace(record.close, agent_id=None)))
    assert dixa.calls == []


def test_with_no_time_left_nothing_is_sent(client: DixaClient, dixa: Sandbox) -> None:
    with pytest.raises(DixaError):
        deliver(client, record_of(dixa), 0)
    assert dixa.calls == []
