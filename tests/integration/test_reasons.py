"""Every reason against a survey, made with the sandbox: no offer is made, and the record has the reason."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from service.rules.matching import is_in_sample
from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import Link, Message, Person, new_id, now
from service.sandbox.dixa.webhooks import closed_event, post, sign
from service.sandbox.server import Sandbox
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from tests.integration.conftest import Starter, Teller
from tests.integration.live_survey import TERMINAL, LiveSurvey
from tests.polling import eventually
from tests.processes import ROOT, WEBHOOK_SECRET, Afterword

STRICT = """
[[survey]]
name = "strict"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
not_before = 2026-11-01

[survey.match]
channels = ["EMAIL"]
queues = ["Support"]
directions = ["INBOUND"]
without_tags = ["no-survey"]
with_tags = ["vip"]
assigned = true
sample = 0.5
contact_points = ["help@nordlys.example"]
languages = ["en", "da"]
user_types = ["CONTACT"]
assignee_types = ["MEMBER"]
without_addresses = ["@northwind.example"]
min_customer_messages = 1
min_agent_messages = 1
"""
FITS: dict[str, Any] = {
    "channel": "Email",
    "queue": "Support",
    "direction": "Inbound",
    "tags": ["vip"],
    "language": "en",
}


CUSTOMER, AGENT = new_id(), new_id()
WRITTEN = {
    "c": Message(CUSTOMER, "Can I swap it?", "Inbound"),
    "a": Message(AGENT, "Of course.", "Outbound"),
    "C": Message(CUSTOMER, "I am out of office.", "Inbound", is_automated=True),
    "A": Message(AGENT, "We have received your message.", "Outbound", is_automated=True),
}
"""A thread in letters: who wrote, in capitals what a machine wrote for them."""


@pytest.fixture(scope="module")
def strict(start: Starter, afterword: Afterword) -> Afterword:
    """A web process with one strict survey. The other worker runs its records, which hold their terms."""
    return start(STRICT, "web", REDIS_URL=afterword.redis_url)


@pytest.fixture
def tell_strictly(tell: Teller, strict: Afterword, dixa: Sandbox) -> Iterator[Callable[..., LiveSurvey]]:
    """Begin a survey with a conversation inside or outside the sample."""
    dixa.sends_webhooks_to(strict.webhook_url)

    def begin(*, sampled: bool = True, thread: str = "ca", contact_point: str = "", **facts: Any) -> LiveSurvey:
        while is_in_sample((story := tell(**FITS | facts)).id, 0.5, "strict") is not sampled:
            pass
        conversation = story.conversation
        conversation.contact_point = contact_point or conversation.contact_point
        conversation.messages += [WRITTEN[by] for by in thread]
        return story

    yield begin
    dixa.sends_webhooks_to(None)


def announce(story: LiveSurvey, target: str, **facts: Any) -> None:
    """Send the close's webhook with facts the sandbox never sends."""
    body = json.dumps(closed_event(story.conversation, story.dixa.state.organization, **facts)).encode()
    assert post(target, body, sign(body, WEBHOOK_SECRET)) == 202


def assert_not_asked(story: LiveSurvey, state: OfferState, reason: Reason) -> None:
    record = story.ended()
    assert (record.offer.state, record.offer.reason) == (state, reason)
    assert record.offer.due_at is None
    assert story.offers == []
    assert [each for each in story.sent if each.external_id] == []


def test_a_conversation_that_fits_the_strict_survey_is_asked(tell_strictly: Callable[..., LiveSurvey]) -> None:
    story = tell_strictly().close()
    eventually(lambda: story.offers)
    terms = story.ended().terms
    assert terms
    assert terms.name == "strict"
    assert story.sent[-1].external_id == f"afterword-{story.id}"


RULES: dict[Reason, dict[str, Any]] = {
    Reason.CHANNEL: {"channel": "WhatsApp"},
    Reason.QUEUE: {"queue": "Sales"},
    Reason.DIRECTION: {"direction": "Outbound"},
    Reason.TAG_EXCLUDED: {"tags": ["vip", "No-Survey"]},
    Reason.TAG_MISSING: {"tags": []},
    Reason.NOT_SAMPLED: {"sampled": False},
    Reason.CONTACT_POINT: {"contact_point": "press@nordlys.example"},
    Reason.USER_TYPE: {"requester": Person("Ida Holm", user_type="Visitor")},
    Reason.ASSIGNEE_TYPE: {"agent": Person("Helper", user_type="Bot")},
    Reason.ADDRESS: {"requester": Person("A tester", "test@northwind.example")},
    Reason.LANGUAGE: {"language": "de"},
    Reason.FEW_CUSTOMER_MESSAGES: {"thread": "Ca"},
    Reason.FEW_AGENT_MESSAGES: {"thread": "cA"},
    Reason.INTERNAL: {"direction": "Internal"},
    Reason.MEMBER: {"requester": Person("Mads Lund", user_type="Member")},
    Reason.MACHINE: {"requester": Person("Mail Delivery Subsystem", "MAILER-DAEMON@example.com")},
    Reason.SIDE_CONVERSATION: {"link": Link("SideConversation", 1)},
}


@pytest.mark.parametrize("reason", RULES)
def test_one_broken_rule_is_the_reason(tell_strictly: Callable[..., LiveSurvey], reason: Reason) -> None:
    assert_not_asked(tell_strictly(**RULES[reason]).close(), OfferState.SKIPPED, reason)


def test_before_start(tell_strictly: Callable[..., LiveSurvey], strict: Afterword) -> None:
    story = tell_strictly(state="Closed")
    announce(story, strict.webhook_url, at=datetime(2026, 10, 31, tzinfo=UTC))
    assert_not_asked(story, OfferState.SKIPPED, Reason.BEFORE_START)


def test_unassigned(tell_strictly: Callable[..., LiveSurvey], strict: Afterword) -> None:
    """A close without an agent is skipped, by whichever event Dixa tells of it."""
    story = tell_strictly(agent=False)
    story.conversation.state = "Closed"
    announce(story, strict.webhook_url)
    assert_not_asked(story, OfferState.SKIPPED, Reason.UNASSIGNED)


def test_unreachable(tell: Teller) -> None:
    """A phone call takes no message."""
    assert_not_asked(tell(channel="PstnPhone").close(), OfferState.SKIPPED, Reason.UNREACHABLE)


def test_no_survey_matches(tell: Teller) -> None:
    assert_not_asked(tell(tags=["spam"]).close(), OfferState.SKIPPED, Reason.NO_SURVEY_MATCHES)


@pytest.mark.parametrize("status", ["Scheduled", "Offered", "Rated"])
def test_already_surveyed(tell: Teller, status: str) -> None:
    story = tell()
    story.dixa.make_rating(story.id, status=status)
    assert_not_asked(story.close(), OfferState.SKIPPED, Reason.ALREADY_SURVEYED)


@pytest.mark.parametrize("status", ["Unscheduled", "Cancelled"])
def test_a_survey_of_dixas_own_that_is_not_sent_is_no_reason(tell: Teller, status: str) -> None:
    story = tell()
    story.dixa.make_rating(story.id, status=status)
    story.close().link()
    assert len(story.offers) == 1


def test_too_late(tell: Teller, afterword: Afterword) -> None:
    """OFFER_MAX_AGE is 72 hours."""
    late, in_time = tell(state="Closed"), tell(state="Closed")
    announce(late, afterword.webhook_url, at=now() - timedelta(hours=72, minutes=1))
    announce(in_time, afterword.webhook_url, at=now() - timedelta(hours=71, minutes=59))
    assert_not_asked(late, OfferState.SKIPPED, Reason.TOO_LATE)
    in_time.link()


def test_reopened(tell: Teller, afterword: Afterword) -> None:
    with afterword.frozen("worker"):
        story = tell().close()
        story.dixa.reopen(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.REOPENED)


def test_erased(tell: Teller, afterword: Afterword) -> None:
    with afterword.frozen("worker"):
        story = tell(requester=Person("Ida Holm", "ida@example.com")).close()
        story.dixa.erase(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.ERASED)


def test_not_found(tell: Teller, dixa: Sandbox) -> None:
    story = tell()
    dixa.fails(status=404, call="conversation")
    assert_not_asked(story.close(), OfferState.FAILED, Reason.NOT_FOUND)


def test_refused(tell: Teller, dixa: Sandbox) -> None:
    story = tell()
    dixa.fails(status=400, call="offer")
    assert_not_asked(story.close(), OfferState.FAILED, Reason.REFUSED)


def test_forbidden(tell: Teller, dixa: Sandbox) -> None:
    """Others are asked meanwhile."""
    story = tell()
    dixa.inject(Fault(Kind.FAILS, 1000, "conversation", 401, conversation=story.id))
    story.close()
    tell().close().link()
    assert_not_asked(story, OfferState.FAILED, Reason.FORBIDDEN)
    dixa.faults.clear()


def test_opted_out(tell: Teller) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    earlier = tell(requester=customer).close()
    assert requests.post(f"{earlier.link()}/stop", timeout=30).status_code == 200
    assert_not_asked(tell(requester=customer).close(), OfferState.SKIPPED, Reason.OPTED_OUT)
    tell(requester=Person("Ida Holm", "another.ida@example.com")).close().link()


def test_asked_recently(tell: Teller) -> None:
    """The same phone number identifies the customer, though Dixa has her twice."""
    tell(requester=Person("Freja Lindqvist", "freja@example.com", "+46 70 123 45 67")).close().link()
    again = tell(requester=Person("Freja L.", phone="0046701234567")).close()
    assert_not_asked(again, OfferState.SKIPPED, Reason.ASKED_RECENTLY)


def test_daily_cap(tell: Teller) -> None:
    tell(queue="Capped").close().link()
    assert_not_asked(tell(queue="Capped").close(), OfferState.SKIPPED, Reason.DAILY_CAP)


def test_nothing_new(tell: Teller) -> None:
    """The conversation was reopened and closed without a message from the customer."""
    story = tell(queue="Again").close()
    story.link()
    story.dixa.reopen(story.id)
    story.close()
    second = f"{story.id}-2"
    eventually(lambda: (found := story.records.load(second)) and found.offer.state in TERMINAL)
    record = story.records.load(second)
    assert record
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.NOTHING_NEW)
    assert len(story.offers) == len(story.sent) == 1


def test_closed_again(tell: Teller) -> None:
    story = tell().close()
    story.link()
    story.dixa.reopen(story.id)
    story.dixa.close(story.id)
    eventually(lambda: (found := story.records.load(str(story.id))) and found.latest_close)
    assert len(story.offers) == len(story.sent) == 1
    assert story.records.count_decisions(datetime.now(UTC).date())[Reason.CLOSED_AGAIN] >= 1


def test_each_reason_is_produced_above() -> None:
    named = {Reason(name.removeprefix("test_")) for name in globals() if name.removeprefix("test_") in list(Reason)}
    assert {*RULES, *named} == set(Reason)


def test_the_docs_explain_each_reason() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    table = text.split("| reason | meaning | what to change |\n")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()[1:]))
    assert sorted(named) == sorted(Reason)
