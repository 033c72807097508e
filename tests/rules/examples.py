"""Examples of closes, conversations, messages and surveys for the tests of the rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from service.rules.matching import DixaFacts
from service.surveys.definition import Survey
from service.surveys.model import Close
from service.surveys.ports import Conversation, Message
from service.surveys.toml.loader import load_surveys


def close_of(conversation_id: int = 48213, **facts: Any) -> Close:
    """Return the close of an e-mail in the queue Returns with an agent, and with these facts changed."""
    usual: dict[str, Any] = {
        "channel": "Email",
        "direction": "Inbound",
        "queue_id": "q-1",
        "queue_name": "Returns",
        "contact_point": "help@nordlys.example",
        "requester_id": "requester",
        "user_type": "Contact",
        "agent_id": "agent",
        "assignee_type": "Member",
        "email": "ida@example.com",
    }
    return Close(conversation_id, datetime(2026, 11, 20, tzinfo=UTC), **usual | facts)


def survey_of(match: str = "", name: str = "one", terms: str = "") -> Survey:
    """Load a survey from its text in surveys.toml."""
    return load_surveys(f'[[survey]]\nname = "{name}"\n{terms}\n[survey.match]\n{match}')[0]


def conversation_of(**facts: Any) -> Conversation:
    return Conversation(48213, "Email", "requester", **{"state": "Closed"} | facts)


def facts_of(*, language: str | None = None, **facts: Any) -> DixaFacts:
    return DixaFacts(conversation_of(language=language), **{"tags": (), "messages": ()} | facts)


def message_of(direction: str, *, at: int = 0, external_id: str | None = None, is_automated: bool = False) -> Message:
    moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=at)
    return Message("m", external_id, direction, is_automated, moment)


IN, OUT = message_of("Inbound"), message_of("Outbound")
BOT_IN, BOT_OUT = message_of("Inbound", is_automated=True), message_of("Outbound", is_automated=True)
OUR_OWN = message_of("Outbound", external_id="afterword-48213")
