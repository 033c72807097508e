"""A link is sent as one message, in its channel's format."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
import redis
from structlog.testing import capture_logs

from service.delivery.message import MessageDelivery, external_id, invitation, write_message
from service.delivery.short_text import INVITATION
from service.dixa.client import DixaClient
from service.sandbox.dixa.model import Message
from service.sandbox.server import Sandbox
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.surveys.errors import CallError, OutcomeUnknown, Refused, RetryLater
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import Close, OfferProgress, Record
from service.surveys.ports import Deadline, Delivery
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from service.surveys.words import Sender, Words
from service.texts.catalog import load_language
from tests.harness import AT_ONCE, Story

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


def bring(delivery: Delivery, record: Record, link: str, deadline: Deadline) -> None:
    """Deliver like the journey: reconcile first if a delivery has begun."""
    is_begun = record.offer.state in (OfferState.DELIVERING, OfferState.REMINDING)
    if not is_begun or not delivery.reconcile(record, deadline):
        delivery.deliver(record, link, deadline)


def deliver(client: DixaClient, record: Record, seconds: float = 5.0) -> None:
    bring(MessageDelivery(client), record, LINK, Deadline(timedelta(seconds=seconds)))


@pytest.mark.parametrize("channel", KINDS)
def test_each_channel_gets_its_format(client: DixaClient, dixa: Sandbox, channel: str) -> None:
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


def test_a_record_without_a_close_gets_no_message(client: DixaClient, dixa: Sandbox) -> None:
    assert not MessageDelivery(client).can_reach(replace(record_of(dixa), close=None))


@pytest.mark.parametrize("kind", sorted(set(KINDS.values())))
@pytest.mark.parametrize("code", LANGUAGES)
def test_white_space_or_a_quote_follows_the_link(kind: str, code: str) -> None:
    """Mail programs make other characters, such as a full stop, part of the link."""
    text = write_message(kind, invitation(Survey(), load_language(code), "Northwind"), LINK, load_language(code))
    ends = [text[found.end() : found.end() + 1] for found in re.finditer(re.escape(LINK), text)]
    assert ends
    assert all(end in ("", " ", "\n", '"') for end in ends)
    before = [text[found.start() - 1 : found.start()] for found in re.finditer(re.escape(LINK), text)]
    assert all(each in ("", " ", "\n", '"') for each in before)


class Links(HTMLParser):
    """The links and elements of an HTML message."""

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
    found = Links(write_message("Html", "Words", link, load_language("en")))
    assert found.links == [link]
    assert found.elements == {"p", "a"}


@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        ("da", "Hvor tilfreds er du"),
        ("da-DK", "Hvor tilfreds er du"),
        ("Danish", "Hvor tilfreds er du"),
        ("ja", "How satisfied are you"),
        ("", "How satisfied are you"),
    ],
)
def test_a_message_is_in_the_conversations_language(client: DixaClient, dixa: Sandbox, spoken: str, words: str) -> None:
    record = record_of(dixa)
    deliver(client, replace(record, offer=OfferProgress(OfferState.OFFERED, language=spoken)))
    (message,) = dixa.messages(record.conversation_id)
    assert words in message.value


def test_an_untranslated_language_falls_back_to_the_default(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    offer = OfferProgress(OfferState.OFFERED, language="ja")
    MessageDelivery(client, default_language="de").deliver(
        replace(record, offer=offer), LINK, Deadline(timedelta(seconds=5))
    )
    (message,) = dixa.messages(record.conversation_id)
    assert "Wie zufrieden" in message.value


CSAT, NPS, THUMBS = RatingType


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        ((CSAT,), "How satisfied are you with the help you got? It takes less than a minute to tell us:"),
        ((NPS,), "How likely are you to recommend Northwind to a friend?"),
        ((THUMBS,), "Did we solve your problem?"),
        ((CSAT, NPS), "How was the help you got?"),
    ],
)
def test_a_message_has_the_question_of_the_page(
    client: DixaClient, dixa: Sandbox, ratings: tuple[RatingType, ...], words: str
) -> None:
    record = record_of(dixa, channel="Messenger")
    MessageDelivery(client, brand="Northwind").deliver(
        replace(record, terms=Survey(ratings=ratings)), LINK, Deadline(timedelta(seconds=5))
    )
    (message,) = dixa.messages(record.conversation_id)
    assert message.value == f"{words} {LINK}"


def test_a_message_names_the_brand_of_its_survey(client: DixaClient, dixa: Sandbox) -> None:
    terms = Survey(ratings=(NPS,), brand=OwnBrand(name="Tidewater"))
    record = replace(record_of(dixa, channel="Messenger"), terms=terms)
    MessageDelivery(client, brand="Northwind").deliver(record, LINK, Deadline(timedelta(seconds=5)))
    (message,) = dixa.messages(record.conversation_id)
    assert message.value == f"How likely are you to recommend Tidewater to a friend? {LINK}"


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_invitation_is_translated(code: str) -> None:
    said = {
        invitation(Survey(ratings=ratings), load_language(code), "Northwind")
        for ratings in ((CSAT,), (NPS,), (THUMBS,), (CSAT, NPS))
    }
    english = {
        invitation(Survey(ratings=ratings), load_language("en"), "Northwind")
        for ratings in ((CSAT,), (NPS,), (THUMBS,), (CSAT, NPS))
    }
    assert len(said) == 4
    assert not said & english or code == "en"


@pytest.mark.parametrize(
    ("own", "danish"),
    [
        (Words(message="Fortæl os det: <b>"), "Fortæl os det: <b>"),
        (Words(questions={NPS: "Vil du anbefale os?"}), "Vil du anbefale os?"),
        (Words(subject="Kun til e-mail"), "Hvor sandsynligt"),
    ],
)
def test_a_survey_has_its_own_words_in_its_languages_only(own: Words, danish: str) -> None:
    terms = Survey(ratings=(NPS,), words={"da": own})
    assert invitation(terms, load_language("da"), "Northwind").startswith(danish)
    assert invitation(terms, load_language("de"), "Northwind") == invitation(
        Survey(ratings=(NPS,)), load_language("de"), "Northwind"
    )


def test_own_words_are_escaped_in_html() -> None:
    assert Links(write_message("Html", "Fortæl os <b> & </p>", LINK, load_language("da"))).elements == {"p", "a"}


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


def test_an_arabic_html_message_is_right_to_left() -> None:
    assert write_message("Html", "Words", LINK, load_language("ar")).count('<p dir="rtl">') == 2


@pytest.mark.parametrize("channel", ["Sms", "WhatsApp"])
def test_a_text_message_has_one_link_and_the_default_language(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    record = record_of(dixa, channel=channel)
    MessageDelivery(client, default_language="da").deliver(record, LINK, Deadline(timedelta(seconds=5)))
    (message,) = dixa.messages(record.conversation_id)
    assert message.value == f"{load_language('da').translate(INVITATION)} {LINK}"


@pytest.mark.parametrize("channel", KINDS)
def test_only_a_text_message_has_the_short_link(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    record = record_of(dixa, channel=channel)
    delivery = MessageDelivery(client, shorten=lambda given, link: f"short of {given.survey_id} for {link}")
    delivery.deliver(record, LINK, Deadline(timedelta(seconds=5)))
    (message,) = dixa.messages(record.conversation_id)
    assert (f"short of {record.survey_id} for {LINK}" in message.value) is (channel in {"Sms", "WhatsApp"})
    assert LINK in message.value


@pytest.mark.parametrize("channel", KINDS)
def test_only_a_text_message_has_the_stop_line(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    record = replace(record_of(dixa, channel=channel), terms=replace(AT_ONCE, stop_line=True))
    deliver(client, record)
    (message,) = dixa.messages(record.conversation_id)
    assert message.value.endswith(f"\nOpt out: {LINK}/stop") is (channel in {"Sms", "WhatsApp"})


@pytest.mark.parametrize(
    ("channel", "open_for", "can"),
    [
        ("WhatsApp", None, True),
        ("WhatsApp", timedelta(hours=1), True),
        ("WhatsApp", -timedelta(hours=1), False),
        # For other channels the meaning of the time is unknown.
        ("WidgetChat", -timedelta(hours=1), True),
    ],
)
def test_an_expired_channel_gets_no_message(
    client: DixaClient, dixa: Sandbox, channel: str, open_for: timedelta | None, *, can: bool
) -> None:
    record = record_of(dixa, channel=channel)
    open_until = None if open_for is None else datetime.now(UTC) + open_for
    assert MessageDelivery(client).can_reach(replace(record, open_until=open_until)) is can


class TestClosingAgain:
    """A message may open the conversation. It is closed again if configured."""

    @pytest.fixture(autouse=True)
    def reopens(self, dixa: Sandbox) -> Iterator[None]:
        dixa.state.message_reopens = True
        yield
        dixa.state.message_reopens = False

    def closed(self, dixa: Sandbox, *, wanted: bool = True) -> Record:
        record = record_of(dixa)
        dixa.close(record.conversation_id)
        return replace(record, terms=replace(AT_ONCE, reclose=wanted))

    def delivered(self, client: DixaClient, dixa: Sandbox, *, wanted: bool = True) -> Record:
        record = self.closed(dixa, wanted=wanted)
        deliver(client, record)
        return record

    def left_open(self, client: DixaClient, dixa: Sandbox, call: str = "close") -> Record:
        """Send a message without closing the conversation again. Return the record of the next claim."""
        record = self.closed(dixa)
        dixa.fails(1, 503, call=call)
        with pytest.raises(OutcomeUnknown):
            deliver(client, record)
        assert dixa.conversation(record.conversation_id).state == "Open"
        return replace(record, offer=OfferProgress(OfferState.DELIVERING))

    def test_the_conversation_is_closed_again(self, client: DixaClient, dixa: Sandbox) -> None:
        record = self.delivered(client, dixa)
        assert dixa.conversation(record.conversation_id).state == "Closed"
        closed = next(each for each in dixa.calls if each.call == "close")
        assert record.close
        assert closed.request_json == {"userId": record.close.agent_id}

    @pytest.mark.parametrize("state", [OfferState.OFFERED, OfferState.DELIVERING])
    def test_it_is_not_unless_configured(self, client: DixaClient, dixa: Sandbox, state: OfferState) -> None:
        record = self.delivered(client, dixa, wanted=False)
        deliver(client, replace(record, offer=OfferProgress(state)))
        assert dixa.conversation(record.conversation_id).state == "Open"
        assert {each.call for each in dixa.calls} == {"message", "messages"}

    def test_it_is_not_if_already_closed(self, client: DixaClient, dixa: Sandbox) -> None:
        dixa.state.message_reopens = False
        self.delivered(client, dixa)
        assert [each.call for each in dixa.calls] == ["message", "conversation"]

    @pytest.mark.parametrize("call", ["conversation", "close"])
    def test_a_refusal_is_logged_and_the_message_counts(self, client: DixaClient, dixa: Sandbox, call: str) -> None:
        dixa.fails(1, 400, call=call)
        with capture_logs() as said:
            record = self.delivered(client, dixa)
        assert [(each["event"], each["log_level"]) for each in said] == [("conversation.not_reclosed", "warning")]
        assert len(dixa.messages(record.conversation_id)) == 1

    @pytest.mark.parametrize("call", ["conversation", "close"])
    def test_a_failure_is_logged_and_retried(self, client: DixaClient, dixa: Sandbox, call: str) -> None:
        with capture_logs() as said:
            record = self.left_open(client, dixa, call)
        assert [(each["event"], each["log_level"]) for each in said] == [("conversation.not_reclosed", "warning")]
        deliver(client, record)
        assert dixa.conversation(record.conversation_id).state == "Closed"
        assert len(dixa.messages(record.conversation_id)) == 1

    def test_it_is_after_the_messages_response_was_lost(self, client: DixaClient, dixa: Sandbox) -> None:
        record = self.closed(dixa)
        dixa.executes_then_drops(1, call="message")
        with pytest.raises(OutcomeUnknown):
            deliver(client, record)
        deliver(client, replace(record, offer=OfferProgress(OfferState.DELIVERING)))
        assert dixa.conversation(record.conversation_id).state == "Closed"

    def test_it_is_after_a_refused_duplicate(self, client: DixaClient, dixa: Sandbox) -> None:
        record = self.left_open(client, dixa)
        deliver(client, replace(record, offer=OfferProgress(OfferState.OFFERED)))
        assert dixa.conversation(record.conversation_id).state == "Closed"
        assert len(dixa.messages(record.conversation_id)) == 1

    @pytest.mark.parametrize(
        ("direction", "is_automated", "state"),
        [("Inbound", False, "Open"), ("Outbound", False, "Open"), ("Inbound", True, "Closed")],
    )
    def test_it_is_not_after_a_person_has_written(
        self, client: DixaClient, dixa: Sandbox, direction: str, state: str, *, is_automated: bool
    ) -> None:
        record = self.left_open(client, dixa)
        said = Message("somebody", "Wait", direction, is_automated=is_automated)
        dixa.state.add_message(record.conversation_id, said)
        deliver(client, record)
        assert dixa.conversation(record.conversation_id).state == state

    def test_it_is_not_after_somebody_else_has_opened_it(self, client: DixaClient, dixa: Sandbox) -> None:
        record = self.left_open(client, dixa)
        conversation = dixa.conversation(record.conversation_id)
        conversation.state_updated_at += timedelta(minutes=1)
        deliver(client, record)
        assert conversation.state == "Open"

    @pytest.mark.parametrize(("minutes", "goes_on"), [(50, True), (70, False)])
    def test_it_is_retried_for_an_hour(self, client: DixaClient, dixa: Sandbox, minutes: int, *, goes_on: bool) -> None:
        record, ago = self.left_open(client, dixa), timedelta(minutes=minutes)
        conversation = dixa.conversation(record.conversation_id)
        (message,) = conversation.messages
        conversation.messages[:] = [replace(message, created_at=message.created_at - ago)]
        conversation.state_updated_at -= ago
        dixa.fails(1, 503, call="close")
        with capture_logs() as said, pytest.raises(OutcomeUnknown) if goes_on else nullcontext():
            deliver(client, record)
        assert [each["event"] for each in said] == ["conversation.not_reclosed"]
        assert len(conversation.messages) == 1

    @pytest.mark.parametrize("fails", [Sandbox.executes_then_drops, Sandbox.executes_then_fails, Sandbox.drops_before])
    def test_a_survey_is_delivered_once_and_its_conversation_closed(
        self, redis_client: redis.Redis, prefix: str, dixa: Sandbox, fails: Callable[..., None]
    ) -> None:
        story = Story(redis_client, prefix, dixa)
        fails(dixa, 2, call="close")
        survey_id = story.begin(replace(AT_ONCE, reclose=True))
        record = story.ask(survey_id)
        assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, "")
        assert dixa.conversation(int(survey_id)).state == "Closed"
        assert [each.external_id for each in dixa.messages(int(survey_id))] == [f"afterword-{survey_id}"]
        story.assert_no_doubles()

    def test_a_reminder_is_delivered_once_and_its_conversation_closed(
        self, redis_client: redis.Redis, prefix: str, dixa: Sandbox
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


@pytest.mark.parametrize("kind", ["Text", "Markdown"])
def test_in_plain_text_the_link_is_unchanged(kind: str) -> None:
    assert f"{LINK}?a=1&b=2" in write_message(kind, "Words", f"{LINK}?a=1&b=2", load_language("en"))


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
    """The record says `offered`, since Redis has lost the later state."""
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


def test_without_an_agent_nothing_is_sent(client: DixaClient, dixa: Sandbox) -> None:
    record = record_of(dixa)
    assert record.close is not None
    with pytest.raises(Refused):
        deliver(client, replace(record, close=replace(record.close, agent_id=None)))
    assert dixa.calls == []


def test_with_no_time_left_nothing_is_sent(client: DixaClient, dixa: Sandbox) -> None:
    with pytest.raises(CallError):
        deliver(client, record_of(dixa), 0)
    assert dixa.calls == []
