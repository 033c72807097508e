"""The outcomes of config/examples for typical conversations."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.loader import read_settings
from service.delivery.registry import open_deliveries
from service.dixa.factory import open_dixa
from service.records.records import Records
from service.records.redis import connect
from service.rules.matching import Choice, DixaFacts, choose_at_close, choose_when_due
from service.rules.send_window import next_opening
from service.surveys.definition import Survey
from service.surveys.model import Close, OfferProgress, Record
from service.surveys.ports import Conversation, Delivery, Message
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from service.surveys.toml.loader import read_surveys
from tests.config.test_settings import GOOD

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"
HERE = ZoneInfo("Europe/Copenhagen")
FRIDAY, SATURDAY = datetime(2026, 11, 20, 15, tzinfo=HERE), datetime(2026, 11, 21, 15, tzinfo=HERE)
IN_DECEMBER = datetime(2026, 12, 4, 15, tzinfo=HERE)
"""A Friday."""

IN_SAMPLE, OUTSIDE_SAMPLE = 44, 13
"""Two conversation ids. A sample of one in ten contains only the first."""

CHAT, FORM, CALL, SMS = (
    {"channel": "WidgetChat", "email": None},
    {"channel": "ContactForm"},
    {"channel": "PstnPhone", "by_customer": 0, "by_agent": 0},
    {"channel": "Sms", "language": None},
)
BY_BOT = {"by_agent": 0, "by_bot": 3, "tags": ("bot",)}
NO_AGENT = {"agent_id": None, "assignee_type": None}

Row = tuple[str, dict[str, Any], str | Reason]

# description                      facts that differ from an e-mail closed on Friday at 15:00         outcome
SMALL_WEBSHOP: list[Row] = [
    ("a chat", CHAT, "webshop, Fri 15:15"),
    ("an e-mail", {}, "webshop, Sat 15:00"),
    ("a contact form", FORM, "webshop, Sat 15:00"),
    ("a call", CALL, Reason.CHANNEL),
    ("spam", {"tags": ("spam",)}, Reason.TAG_EXCLUDED),
    ("an unassigned e-mail", NO_AGENT, Reason.UNASSIGNED),
    ("an outbound e-mail", {"direction": "Outbound"}, Reason.DIRECTION),
    ("an e-mail of a colleague", {"user_type": "Member"}, Reason.MEMBER),
]
TWO_BRANDS: list[Row] = [
    ("an e-mail to Northwind", {"contact_point": "help@northwind.example"}, "northwind, Sat 15:00"),
    ("a call to Northwind", CALL | {"contact_point": "+4570123456"}, "northwind, Fri 15:15"),
    ("an e-mail to Tidewater", {"contact_point": "hello@tidewater.example"}, "tidewater, Sun 15:00"),
    ("an e-mail to the press office", {"contact_point": "press@northwind.example"}, Reason.CONTACT_POINT),
    ("an e-mail to an unknown address", {"contact_point": None}, Reason.CONTACT_POINT),
]
BY_LANGUAGE: list[Row] = [
    ("Danish", {"language": "da"}, "csat, Sat 15:00"),
    ("Austrian German", {"language": "de-AT"}, "csat, Sat 15:00"),
    ("a Danish chat", CHAT | {"language": "da"}, "csat, Fri 15:15"),
    ("Swedish", {"language": "sv"}, "nps, Sat 15:00"),
    ("an unsupported language", {"language": "tlh"}, "nps, Sat 15:00"),
    ("an SMS without a language", SMS, "nps, Fri 15:15"),
    ("Danish spam", {"language": "da", "tags": ("spam",)}, Reason.TAG_EXCLUDED),
]
BUSINESS_CUSTOMERS: list[Row] = [
    ("an e-mail of a Thursday", {"closed_at": FRIDAY - timedelta(days=1)}, "business, Fri 15:00"),
    ("an e-mail of a Friday", {}, "business, Mon 09:00"),
    ("an e-mail of a Thursday evening", {"closed_at": FRIDAY - timedelta(hours=20)}, "business, Mon 09:00"),
    ("an e-mail of a Thursday morning", {"closed_at": FRIDAY - timedelta(hours=32)}, "business, Fri 09:00"),
    ("a single message of the customer", {"by_customer": 1}, Reason.FEW_CUSTOMER_MESSAGES),
    ("a reply of a machine only", {"by_agent": 0, "by_bot": 2}, Reason.FEW_AGENT_MESSAGES),
    ("a customer with our domain", {"email": "Mads@Northwind.example"}, Reason.ADDRESS),
    ("a partner", {"email": "li@northwind-partners.example"}, Reason.ADDRESS),
    ("a customer with a similar domain", {"email": "a@not-northwind.example"}, "business, Mon 09:00"),
    ("a customer without an address", {"email": None}, "business, Mon 09:00"),
]
CAREFUL_START: list[Row] = [
    ("the test address", {"email": "Afterword.Test@northwind.example"}, "test, Fri 15:00"),
    ("a customer before the start", {"conversation_id": IN_SAMPLE}, Reason.NO_SURVEY_MATCHES),
    (
        "a customer in the sample after the start",
        {"conversation_id": IN_SAMPLE, "closed_at": IN_DECEMBER},
        "live, Sat 15:00",
    ),
    (
        "a chat in the sample after the start",
        CHAT | {"conversation_id": IN_SAMPLE, "closed_at": IN_DECEMBER},
        "live, Fri 15:15",
    ),
    (
        "a customer outside the sample",
        {"conversation_id": OUTSIDE_SAMPLE, "closed_at": IN_DECEMBER},
        Reason.NO_SURVEY_MATCHES,
    ),
    (
        "the test address outside the sample",
        {"email": "afterword.test@northwind.example", "conversation_id": OUTSIDE_SAMPLE, "closed_at": IN_DECEMBER},
        "test, Fri 15:00",
    ),
]
PHONE_AND_BOTS: list[Row] = [
    ("a call on a Thursday", CALL | {"closed_at": FRIDAY - timedelta(days=1)}, "phone, Fri 09:00"),
    ("a call on a Thursday evening", CALL | {"closed_at": FRIDAY - timedelta(hours=19)}, "phone, Fri 11:00"),
    ("a call on a Friday", CALL, "phone, Mon 09:00"),
    ("a call on a Saturday", CALL | {"closed_at": SATURDAY}, "phone, Mon 09:00"),
    ("an unassigned call", CALL | NO_AGENT, Reason.NO_SURVEY_MATCHES),
    ("a call of a customer without an address", CALL | {"email": None}, Reason.UNREACHABLE),
    ("a chat with an agent", CHAT, "chat, Fri 15:15"),
    ("a chat with the bot and an agent", CHAT | BY_BOT | {"by_agent": 2}, "chat, Fri 15:15"),
    ("a chat with the bot", CHAT | BY_BOT, "bot, Fri 15:15"),
    ("an unassigned chat with the bot", CHAT | BY_BOT | NO_AGENT, "bot, Fri 15:15"),
    ("a single message to the bot", CHAT | BY_BOT | {"by_customer": 1}, Reason.NO_SURVEY_MATCHES),
    ("a single message to an agent", CHAT | {"by_customer": 1}, Reason.NO_SURVEY_MATCHES),
    ("an e-mail", {}, Reason.CHANNEL),
]
COOKBOOK = {
    "small-webshop": SMALL_WEBSHOP,
    "two-brands": TWO_BRANDS,
    "by-language": BY_LANGUAGE,
    "business-customers": BUSINESS_CUSTOMERS,
    "careful-start": CAREFUL_START,
    "phone-and-bots": PHONE_AND_BOTS,
}


@pytest.mark.parametrize(
    ("name", "facts", "outcome"),
    [
        pytest.param(name, facts, outcome, id=f"{name}: {description}")
        for name, rows in COOKBOOK.items()
        for description, facts, outcome in rows
    ],
)
def test_outcomes_of_the_examples(name: str, facts: dict[str, Any], outcome: str | Reason) -> None:
    assert outcome_of(read_surveys(EXAMPLES / f"{name}.toml").surveys, facts) == outcome


def test_every_example_has_a_row_and_is_named_in_the_guide() -> None:
    guide = (EXAMPLES.parents[1] / "docs" / "surveys.md").read_text(encoding="utf-8")
    files = {path.stem for path in EXAMPLES.iterdir()}
    assert files == set(COOKBOOK)
    assert {name for name in files if f"(../config/examples/{name}.toml)" not in guide} == set()


@pytest.mark.parametrize("name", COOKBOOK)
def test_an_example_begins_with_two_sentences(name: str) -> None:
    comment = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8").split("\n\n")[0]
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert comment.startswith("# For ")
    assert comment.count(". ") == 1
    assert comment.endswith(".")


@pytest.mark.parametrize("name", COOKBOOK)
def test_every_survey_of_an_example_has_a_matching_conversation(name: str) -> None:
    asking = {str(outcome).partition(",")[0] for _, _, outcome in COOKBOOK[name]}
    assert {survey.name for survey in read_surveys(EXAMPLES / f"{name}.toml").surveys} <= asking


def test_a_reminder_is_due_inside_the_send_window() -> None:
    """The reminder is due whole weeks later, at the same weekday and hour."""
    (survey,) = read_surveys(EXAMPLES / "business-customers.toml").surveys
    assert survey.reminder
    for days in range(7):
        sent_at = next_opening(survey.send_window, FRIDAY + timedelta(days=days))
        assert next_opening(survey.send_window, sent_at + survey.reminder) == sent_at + survey.reminder


def outcome_of(surveys: tuple[Survey, ...], facts: dict[str, Any]) -> str | Reason | None:
    """Return the survey and the time of sending, or the reason for none."""
    known: dict[str, Any] = {"language": "en", "by_customer": 2, "by_agent": 1, "by_bot": 0} | facts
    thread = {name: known.pop(name) for name in ("language", "by_customer", "by_agent", "by_bot")}
    close = close_of(**known)
    messages = (
        *[Message("c", None, "Inbound")] * thread["by_customer"],
        *[Message("a", None, "Outbound")] * thread["by_agent"],
        *[Message("b", None, "Outbound", is_automated=True)] * thread["by_bot"],
    )
    conversation = Conversation(close.conversation_id, close.channel or "", "requester", language=thread["language"])
    choice = choose_at_close(close, surveys)
    candidates = [survey.for_channel(close.channel) for survey in choice.candidates]
    later = choose_when_due(close, candidates, DixaFacts(conversation, messages=messages))
    if not later.candidates:
        return Choice((), (*choice.mismatches, *later.mismatches)).reason
    survey = later.candidates[0]
    if not can_reach(close, survey, thread["language"]):
        return Reason.UNREACHABLE
    sent_at = next_opening(survey.send_window, close.closed_at + survey.delay)
    return f"{survey.name}, {sent_at.astimezone(HERE):%a %H:%M}"


def can_reach(close: Close, survey: Survey, language: str | None) -> bool:
    """Return whether one of the survey's channels can reach this customer."""
    offer = OfferProgress(OfferState.DECIDING, language=language or "")
    record = Record(str(close.conversation_id), close.conversation_id, close.closed_at, close, survey, offer)
    return any(channels()[name].can_reach(record) for name in survey.deliver)


@cache
def channels() -> dict[str, Delivery]:
    """Return the channels of an installation with e-mail. `can_reach` needs no connection."""
    settings = read_settings({**GOOD, "SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "survey@northwind.example"})
    client = connect(settings.redis_url)
    records = Records(client, lease=settings.timings.lease, keep=settings.timings.record_retention)
    return open_deliveries(settings, open_dixa(settings, client), records)


def close_of(**facts: Any) -> Close:
    """Return an answered e-mail closed on Friday at 15:00, with changed facts."""
    usual: dict[str, Any] = {
        "conversation_id": 48213,
        "closed_at": FRIDAY,
        "channel": "Email",
        "direction": "Inbound",
        "requester_id": "requester",
        "user_type": "Contact",
        "email": "ida@example.com",
        "agent_id": "agent",
        "assignee_type": "Member",
    }
    return Close(**usual | facts)
