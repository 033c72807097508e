"""A message may open its conversation. Afterword closes the conversation again if configured."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.dixa.client import DixaClient
from service.sandbox.dixa.model import Message
from service.sandbox.server import Sandbox
from service.surveys.errors import OutcomeUnknown
from service.surveys.model import OfferProgress, Record
from service.surveys.states import OfferState
from tests.delivery.messages import deliver, record_of
from tests.harness import AT_ONCE, Story


@pytest.fixture(autouse=True)
def reopens(dixa: Sandbox) -> Iterator[None]:
    dixa.state.message_reopens = True
    yield
    dixa.state.message_reopens = False


def closed_record(dixa: Sandbox, *, reclose: bool = True) -> Record:
    record = record_of(dixa)
    dixa.close(record.conversation_id)
    return replace(record, terms=replace(AT_ONCE, reclose=reclose))


def delivered_record(client: DixaClient, dixa: Sandbox, *, reclose: bool = True) -> Record:
    record = closed_record(dixa, reclose=reclose)
    deliver(client, record)
    return record


def left_open(client: DixaClient, dixa: Sandbox, call: str = "close") -> Record:
    """Send a message without closing the conversation again. Return the record of the next claim."""
    record = closed_record(dixa)
    dixa.fails(1, 503, call=call)
    with pytest.raises(OutcomeUnknown):
        deliver(client, record)
    assert dixa.conversation(record.conversation_id).state == "Open"
    return replace(record, offer=OfferProgress(OfferState.DELIVERING))


def test_the_conversation_is_closed_again(client: DixaClient, dixa: Sandbox) -> None:
    record = delivered_record(client, dixa)
    assert dixa.conversation(record.conversation_id).state == "Closed"
    call = next(each for each in dixa.calls if each.call == "close")
    assert record.close
    assert call.request_json == {"userId": record.close.agent_id}


@pytest.mark.parametrize("state", [OfferState.OFFERED, OfferState.DELIVERING])
def test_conversation_stays_open_unless_configured(client: DixaClient, dixa: Sandbox, state: OfferState) -> None:
    record = delivered_record(client, dixa, reclose=False)
    deliver(client, replace(record, offer=OfferProgress(state)))
    assert dixa.conversation(record.conversation_id).state == "Open"
    assert {each.call for each in dixa.calls} == {"message", "messages"}


def test_a_closed_conversation_is_not_closed_again(client: DixaClient, dixa: Sandbox) -> None:
    dixa.state.message_reopens = False
    delivered_record(client, dixa)
    assert [each.call for each in dixa.calls] == ["message", "conversation"]


@pytest.mark.parametrize("call", ["conversation", "close"])
def test_a_refusal_is_logged_and_the_message_counts(client: DixaClient, dixa: Sandbox, call: str) -> None:
    dixa.fails(1, 400, call=call)
    with capture_logs() as logged:
        record = delivered_record(client, dixa)
    assert [(each["event"], each["log_level"]) for each in logged] == [("conversation.not_reclosed", "warning")]
    assert len(dixa.messages(record.conversation_id)) == 1


@pytest.mark.parametrize("call", ["conversation", "close"])
def test_a_failure_is_logged_and_retried(client: DixaClient, dixa: Sandbox, call: str) -> None:
    with capture_logs() as logged:
        record = left_open(client, dixa, call)
    assert [(each["event"], each["log_level"]) for each in logged] == [("conversation.not_reclosed", "warning")]
    deliver(client, record)
    assert dixa.conversation(record.conversation_id).state == "Closed"
    assert len(dixa.messages(record.conversation_id)) == 1


def test_conversation_is_closed_after_a_lost_response(client: DixaClient, dixa: Sandbox) -> None:
    record = closed_record(dixa)
    dixa.executes_then_drops(1, call="message")
    with pytest.raises(OutcomeUnknown):
        deliver(client, record)
    deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
    assert dixa.conversation(record.conversation_id).state == "Closed"


def test_conversation_is_closed_after_a_refused_duplicate(client: DixaClient, dixa: Sandbox) -> None:
    record = left_open(client, dixa)
    deliver(client, replace(record, offer=OfferProgress(OfferState.OFFERED)))
    assert dixa.conversation(record.conversation_id).state == "Closed"
    assert len(dixa.messages(record.conversation_id)) == 1


@pytest.mark.parametrize(
    ("direction", "is_automated", "state"),
    [("Inbound", False, "Open"), ("Outbound", False, "Open"), ("Inbound", True, "Closed")],
)
def test_conversation_stays_open_after_a_message_of_a_person(
    client: DixaClient, dixa: Sandbox, direction: str, state: str, *, is_automated: bool
) -> None:
    record = left_open(client, dixa)
    message = Message("somebody", "Wait", direction, is_automated=is_automated)
    dixa.state.add_message(record.conversation_id, message)
    deliver(client, record)
    assert dixa.conversation(record.conversation_id).state == state


@pytest.mark.parametrize(("seconds", "state"), [(10, "Closed"), (11, "Open")])
def test_conversation_opened_long_after_the_message_stays_open(
    client: DixaClient, dixa: Sandbox, seconds: int, state: str
) -> None:
    """A message opens its conversation at once, so a person has opened it."""
    record = left_open(client, dixa)
    conversation = dixa.conversation(record.conversation_id)
    (message,) = conversation.messages
    conversation.state_updated_at = message.created_at + timedelta(seconds=seconds)
    deliver(client, record)
    assert conversation.state == state


@pytest.mark.parametrize(("minutes", "is_retried"), [(50, True), (70, False)])
def test_closing_is_retried_for_an_hour(client: DixaClient, dixa: Sandbox, minutes: int, *, is_retried: bool) -> None:
    record, ago = left_open(client, dixa), timedelta(minutes=minutes)
    conversation = dixa.conversation(record.conversation_id)
    (message,) = conversation.messages
    conversation.messages[:] = [replace(message, created_at=message.created_at - ago)]
    conversation.state_updated_at -= ago
    dixa.fails(1, 503, call="close")
    with capture_logs() as logged, pytest.raises(OutcomeUnknown) if is_retried else nullcontext():
        deliver(client, record)
    assert [each["event"] for each in logged] == ["conversation.not_reclosed"]
    assert len(conversation.messages) == 1


@pytest.mark.parametrize("failure", [Sandbox.executes_then_drops, Sandbox.executes_then_fails, Sandbox.drops_before])
def test_a_survey_is_delivered_once_and_its_conversation_closed(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, failure: Callable[..., None]
) -> None:
    story = Story(redis_client, prefix, dixa)
    failure(dixa, 2, call="close")
    survey_id = story.begin(replace(AT_ONCE, reclose=True))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, "")
    assert dixa.conversation(int(survey_id)).state == "Closed"
    assert [each.external_id for each in dixa.messages(int(survey_id))] == [f"afterword-{survey_id}"]
    story.assert_no_doubles()


def test_a_reminder_is_delivered_once_and_its_conversation_closed(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    story = Story(redis_client, prefix, dixa)
    survey_id = story.begin(replace(AT_ONCE, reclose=True, reminder=timedelta(minutes=30)))
    story.offering.run(survey_id)
    redis_client.hset(f"{prefix}survey:{survey_id}", "offer_due", "0")
    dixa.fails(2, 503, call="close")
    record = story.ask(survey_id)
    assert record.offer.reminded_at
    assert record.offer.note == ""
    assert dixa.conversation(int(survey_id)).state == "Closed"
    assert len(dixa.messages(int(survey_id))) == 2
    story.assert_no_doubles()
