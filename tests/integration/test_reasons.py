"""Every reason why a customer isn't asked, made through the sandbox: nothing is offered, and the record says why."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from service.sandbox.model import Person, now
from service.sandbox.server import Sandbox
from service.sandbox.webhooks import closed_event, post, sign
from service.surveys.model import OfferState, Reason
from service.surveys.rules import is_in_sample
from tests.integration.conftest import Starter, Teller
from tests.integration.story import WITHIN_SECONDS, Story
from tests.polling import eventually
from tests.running import WEBHOOK_SECRET, Afterword

STRICT = """
[[survey]]
name = "strict"
delay = "0s"
hold = "0s"

[survey.ask]
channels = ["EMAIL", "PSTN_PHONE"]
queues = ["Support"]
directions = ["INBOUND"]
without_tags = ["no-survey"]
with_tags = ["vip"]
assigned = true
sample = 0.5
"""
FITS: dict[str, Any] = {"channel": "Email", "queue": "Support", "direction": "Inbound", "tags": ["vip"]}


@pytest.fixture(scope="session")
def strict(start: Starter, afterword: Afterword) -> Afterword:
    """A web process of one strict survey; the worker that serves its records is the other's: they know their terms."""
    return start(STRICT, "web", REDIS_URL=afterword.redis_url)


@pytest.fixture
def tell_strictly(tell: Teller, strict: Afterword, dixa: Sandbox) -> Iterator[Callable[..., Story]]:
    """Begin a story whose conversation is drawn into the sample, or not."""
    dixa.sends_webhooks_to(strict.webhook_url)

    def begin(*, sampled: bool = True, **facts: Any) -> Story:
        while is_in_sample((story := tell(**FITS | facts)).id, 0.5) is not sampled:
            pass
        return story

    yield begin
    dixa.sends_webhooks_to(None)


def announce(story: Story, target: str, **facts: Any) -> None:
    """Send the close's webhook ourselves, with what the sandbox would not say."""
    body = json.dumps(closed_event(story.conversation, story.dixa.state.organization, **facts)).encode()
    assert post(target, body, sign(body, WEBHOOK_SECRET)) == 202


def assert_not_asked(story: Story, state: OfferState, reason: Reason) -> None:
    record = story.ended()
    assert (record.offer.state, record.offer.reason) == (state, reason)
    assert record.offer.due_at is None
    assert story.offers == []
    assert story.sent == []


def test_a_conversation_that_fits_the_strict_survey_is_asked(tell_strictly: Callable[..., Story]) -> None:
    story = tell_strictly().close()
    eventually(lambda: story.offers, WITHIN_SECONDS)
    terms = story.ended().terms
    assert terms
    assert terms.name == "strict"
    assert story.sent[0].external_id == f"afterword-{story.id}"


RULES: dict[Reason, dict[str, Any]] = {
    Reason.CHANNEL: {"channel": "WhatsApp"},
    Reason.QUEUE: {"queue": "Sales"},
    Reason.DIRECTION: {"direction": "Outbound"},
    Reason.TAG_EXCLUDED: {"tags": ["vip", "No-Survey"]},
    Reason.TAG_MISSING: {"tags": []},
    Reason.NOT_SAMPLED: {"sampled": False},
    Reason.UNREACHABLE: {"channel": "PstnPhone"},
}


@pytest.mark.parametrize("reason", RULES)
def test_one_broken_rule_is_the_reason(tell_strictly: Callable[..., Story], reason: Reason) -> None:
    assert_not_asked(tell_strictly(**RULES[reason]).close(), OfferState.SKIPPED, reason)


def test_unassigned(tell_strictly: Callable[..., Story], strict: Afterword) -> None:
    """Dixa calls it CONVERSATION_ABANDONED as a rule, which is ignored; a close without an agent is skipped."""
    story = tell_strictly(agent=False)
    story.conversation.state = "Closed"
    announce(story, strict.webhook_url)
    assert_not_asked(story, OfferState.SKIPPED, Reason.UNASSIGNED)


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
    """OFFER_WITHIN is 72 hours."""
    late, in_time = tell(state="Closed"), tell(state="Closed")
    announce(late, afterword.webhook_url, at=now() - timedelta(hours=72, minutes=1))
    announce(in_time, afterword.webhook_url, at=now() - timedelta(hours=71, minutes=59))
    assert_not_asked(late, OfferState.SKIPPED, Reason.TOO_LATE)
    in_time.link()


def test_reopened(tell: Teller) -> None:
    story = tell(queue="Later").close()
    story.dixa.reopen(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.REOPENED)


def test_erased(tell: Teller) -> None:
    story = tell(queue="Later", requester=Person("Ida Holm", "ida@example.com")).close()
    story.dixa.erase(story.id)
    assert_not_asked(story, OfferState.CANCELLED, Reason.ERASED)


def test_not_found(tell: Teller, dixa: Sandbox) -> None:
    story = tell()
    dixa.fails(status=404, call="conversation")
    assert_not_asked(story.close(), OfferState.DEAD, Reason.NOT_FOUND)


def test_refused(tell: Teller, dixa: Sandbox) -> None:
    story = tell()
    dixa.fails(status=400, call="offer")
    assert_not_asked(story.close(), OfferState.DEAD, Reason.REFUSED)


def test_each_reason_is_produced_above() -> None:
    named = {Reason(name.removeprefix("test_")) for name in globals() if name.removeprefix("test_") in list(Reason)}
    assert {*RULES, *named} == set(Reason)
