"""Steps with a survey that is sent as a message."""

from datetime import UTC, datetime, timedelta

from service.delivery.message import MessageDelivery
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.model import Close, OfferProgress, Record
from service.surveys.ports import Deadline, Delivery
from service.surveys.states import OfferState
from tests.harness import AT_ONCE

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
    """Return an offered survey of a new conversation."""
    number = dixa.make_conversation(channel=channel)
    agent = dixa.conversation(number).agent
    assert agent is not None
    now = datetime.now(UTC)
    close = Close(number, now, channel=channel, agent_id=agent.id)
    return Record(str(number), number, now, close, AT_ONCE, OfferProgress(state))


def deliver_once(delivery: Delivery, record: Record, link: str, deadline: Deadline) -> None:
    """Deliver like the journey: reconcile first if a delivery has begun."""
    is_begun = record.offer.state in (OfferState.DELIVERING, OfferState.REMINDING)
    if not is_begun or not delivery.reconcile(record, deadline):
        delivery.deliver(record, link, deadline)


def deliver(client: DixaClient, record: Record, seconds: float = 5.0) -> None:
    deliver_once(MessageDelivery(client), record, LINK, Deadline(timedelta(seconds=seconds)))
