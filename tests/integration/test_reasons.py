"""The sandbox causes every reason against a survey. No offer is made, and the record has the reason."""

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
from tests.integration.conftest import NewSurvey, Starter
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
MESSAGES = {
    "c": Message(CUSTOMER, "Can I swap it?", "Inbound"),
    "a": Message(AGENT, "Of course.", "Outbound"),
    "C": Message(CUSTOMER, "I am out of office.", "Inbound", is_automated=True),
    "A": Message(AGENT, "We have received your message.", "Outbound", is_automated=True),
}
"""The messages of a thread by letter: c for the customer, a for the agent, and capitals for automated messages."""


@pytest.fixture(scope="module")
def strict(start: Starter, afterword: Afterword) -> Afterword:
    """Start a web process with one strict survey. The shared worker runs its records, which contain their terms."""
    return start(STRICT, "web", REDIS_URL=afterword.redis_url)


@pytest.fixture
def new_strict_survey(new_survey: NewSurvey, strict: Afterword, dixa: Sandbox) -> Iterator[Callable[..., LiveSurvey]]:
    """Make a conversation inside or outside the sample."""
    dixa.sends_webhooks_to(strict.webhook_url)

    def begin(*, sampled: bool = True, thread: str = "ca", contact_point: str = "", **facts: Any) -> LiveSurvey:
        while is_in_sample((story := new_survey(**FITS | facts)).id, 0.5, "strict") is not sampled:
            pass
        conversation = story.conversation
        conversation.contact_point = contact_point or conversation.contact_point
        conversation.messages += [MESSAGES[by] for by in thread]
        return story

    yield begin
    dixa.sends_webhooks_to(None)


def send_close(story: LiveSurvey, target: str, **facts: Any) -> None:
    """Send the webhook of the close with facts that the sandbox never sends."""
    body = json.dumps(closed_event(story.conversation, story.dixa.state.organization, **facts)).encode()
    assert post(target, body, sign(body, WEBHOOK_SECRET)) == 202


def assert_not_asked(story: LiveSurvey, state: OfferState, reason: Reason) -> None:
    record = story.ended()
    assert (record.offer.state, record.offer.reason) == (state, reason)
    assert record.offer.due_at is None
    assert story.offers == []
    assert [each for each in story.sent if each.external_id] == []


def test_survey_is_sent_if_all_rules_match(new_strict_survey: Callable[..., LiveSurvey]) -> None:
    story = new_strict_survey().close()
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
def test_mismatching_rule_is_the_reason(new_strict_survey: Callable[..., LiveSurvey], reason: Reason) -> None:
    assert_not_asked(new_strict_survey(**RULES[reason]).close(), OfferState.SKIPPED, reason)


def test_reason_is_before_start(new_strict_survey: Callable[..., LiveSurvey], strict: Afterword) -> None:
    story = new_strict_survey(state="Closed")
    send_close(story, strict.webhook_url, at=datetime(2026, 10, 31, tzinfo=UTC))
    assert_not_asked(story, OfferState.SKIPPED, Reason.BEFORE_START)


def test_reason_is_unassigned(new_strict_survey: Callable[..., LiveSurvey], strict: Afterword) -> None:
    """A close without an agent is skipped, in any kind of event."""
    story = new_strict_survey(agent=False)
    story.conversation.state = "Closed"
    send_close(story, strict.webhook_url)
    assert_not_asked(story, OfferState.SKIPPED, Reason.UNASSIGNED)


def test_reason_is_unreachable(new_survey: NewSurvey) -> None:
    """A phone call can't receive a message."""
    assert_not_asked(new_survey(channel="PstnPhone").close(), OfferState.SKIPPED, Reason.UNREACHABLE)


def test_reason_is_no_survey_matches(new_survey: NewSurvey) -> None:
    assert_not_asked(new_survey(tags=["spam"]).close(), OfferState.SKIPPED, Reason.NO_SURVEY_MATCHES)


@pytest.mark.parametrize("status", ["Scheduled", "Offered", "Rated"])
def test_reason_is_already_surveyed(new_survey: NewSurvey, status: str) -> None:
    story = new_survey()
    story.dixa.make_rating(story.id, status=status)
    assert_not_asked(story.close(), OfferState.SKIPPED, Reason.ALREADY_SURVEYED)


@pytest.mark.parametrize("status", ["Unscheduled", "Cancelled"])
def test_unsent_survey_of_dixa_does_not_prevent_ours(new_survey: NewSurvey, status: str) -> None:
    story = new_survey()
    story.dixa.make_rating(story.id, status=status)
    story.close().link()
    assert len(story.offers) == 1


def test_reason_is_too_late(new_survey: NewSurvey, afterword: Afterword) -> None:
    """OFFER_MAX_AGE is 72 hours."""
    late, in_time = new_survey(state="Closed"), new_survey(state="Closed")
    send_close(late, afterword.webhook_url, at=now() - timedelta(hours=72, minutes=1))
    send_close(in_time, afterword.webhook_url, at=now() - timedelta(hours=71, minutes=59))
    assert_not_asked(late, OfferState.SKIPPED, Reason.TOO_LATE)
    in_time.link()


def test_reason_is_reopened(new_survey: NewSurvey, afterword: Afterword) -> None:
    with afterword.frozen("worker"):
        story = new_survey().close()
        story.dixa.reopen(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.REOPENED)


def test_reason_is_erased(new_survey: NewSurvey, afterword: Afterword) -> None:
    with afterword.frozen("worker"):
        story = new_survey(requester=Person("Ida Holm", "ida@example.com")).close()
        story.dixa.erase(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.ERASED)


def test_reason_is_not_found(new_survey: NewSurvey, dixa: Sandbox) -> None:
    story = new_survey()
    dixa.fails(status=404, call="conversation")
    assert_not_asked(story.close(), OfferState.FAILED, Reason.NOT_FOUND)


def test_reason_is_refused(new_survey: NewSurvey, dixa: Sandbox) -> None:
    story = new_survey()
    dixa.fails(status=400, call="offer")
    assert_not_asked(story.close(), OfferState.FAILED, Reason.REFUSED)


def test_reason_is_forbidden(new_survey: NewSurvey, dixa: Sandbox) -> None:
    """Other surveys are sent meanwhile."""
    story = new_survey()
    dixa.inject(Fault(Kind.FAILS, 1000, "conversation", 401, conversation=story.id))
    story.close()
    new_survey().close().link()
    assert_not_asked(story, OfferState.FAILED, Reason.FORBIDDEN)
    dixa.faults.clear()


def test_reason_is_opted_out(new_survey: NewSurvey) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    earlier = new_survey(requester=customer).close()
    assert requests.post(f"{earlier.link()}/stop", timeout=30).status_code == 200
    assert_not_asked(new_survey(requester=customer).close(), OfferState.SKIPPED, Reason.OPTED_OUT)
    new_survey(requester=Person("Ida Holm", "another.ida@example.com")).close().link()


def test_reason_is_asked_recently(new_survey: NewSurvey) -> None:
    """The phone number identifies a customer with two requester ids."""
    new_survey(requester=Person("Freja Lindqvist", "freja@example.com", "+46 70 123 45 67")).close().link()
    again = new_survey(requester=Person("Freja L.", phone="0046701234567")).close()
    assert_not_asked(again, OfferState.SKIPPED, Reason.ASKED_RECENTLY)


def test_reason_is_daily_cap(new_survey: NewSurvey) -> None:
    new_survey(queue="Capped").close().link()
    assert_not_asked(new_survey(queue="Capped").close(), OfferState.SKIPPED, Reason.DAILY_CAP)


def test_reason_is_nothing_new(new_survey: NewSurvey) -> None:
    """The conversation was reopened and closed without a message from the customer."""
    story = new_survey(queue="Again").close()
    story.link()
    story.dixa.reopen(story.id)
    story.close()
    second = f"{story.id}-2"
    eventually(lambda: (found := story.records.load(second)) and found.offer.state in TERMINAL)
    record = story.records.load(second)
    assert record
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.NOTHING_NEW)
    assert len(story.offers) == len(story.sent) == 1


def test_reason_is_closed_again(new_survey: NewSurvey) -> None:
    story = new_survey().close()
    story.link()
    story.dixa.reopen(story.id)
    story.dixa.close(story.id)
    eventually(lambda: (found := story.records.load(str(story.id))) and found.latest_close)
    assert len(story.offers) == len(story.sent) == 1
    assert story.records.count_decisions(datetime.now(UTC).date())[Reason.CLOSED_AGAIN] >= 1


def test_every_reason_has_a_test() -> None:
    prefix = "test_reason_is_"
    named = {Reason(name.removeprefix(prefix)) for name in globals() if name.startswith(prefix)}
    assert {*RULES, *named} == set(Reason)


def test_docs_explain_every_reason() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    table = text.split("| reason | meaning | what to change |\n")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in table.splitlines()[1:]))
    assert sorted(named) == sorted(Reason)
