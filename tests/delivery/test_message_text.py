"""The text, format and language of a message."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from service.delivery.message import MessageDelivery, external_id, invitation, write_message
from service.delivery.short_text import INVITATION
from service.dixa.client import DixaClient
from service.sandbox.server import Sandbox
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import OfferProgress
from service.surveys.ports import Deadline
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from service.surveys.words import Words
from service.texts.catalog import load_language
from tests.delivery.messages import KINDS, LINK, deliver, record_of
from tests.harness import AT_ONCE


@pytest.mark.parametrize("channel", KINDS)
def test_each_channel_has_its_format(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    record = record_of(dixa, channel=channel)
    deliver(client, record)
    (message,) = dixa.messages(record.conversation_id)
    assert (message.format, message.direction) == (KINDS[channel], "Outbound")
    assert message.external_id == external_id(record) == f"afterword-{record.survey_id}"
    assert record.close is not None
    assert message.author_id == record.close.agent_id
    assert LINK in message.value


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
    """Parses the links and elements of an HTML message."""

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
def test_link_is_escaped_in_html(link: str) -> None:
    found = Links(write_message("Html", "Words", link, load_language("en")))
    assert found.links == [link]
    assert found.elements == {"p", "a"}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("da", "Hvor tilfreds er du"),
        ("da-DK", "Hvor tilfreds er du"),
        ("Danish", "Hvor tilfreds er du"),
        ("ja", "How satisfied are you"),
        ("", "How satisfied are you"),
    ],
)
def test_message_is_in_the_conversations_language(client: DixaClient, dixa: Sandbox, language: str, words: str) -> None:
    record = record_of(dixa)
    deliver(client, replace(record, offer=OfferProgress(OfferState.OFFERED, language=language)))
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
    invitations = {
        invitation(Survey(ratings=ratings), load_language(code), "Northwind")
        for ratings in ((CSAT,), (NPS,), (THUMBS,), (CSAT, NPS))
    }
    english = {
        invitation(Survey(ratings=ratings), load_language("en"), "Northwind")
        for ratings in ((CSAT,), (NPS,), (THUMBS,), (CSAT, NPS))
    }
    assert len(invitations) == 4
    assert not invitations & english or code == "en"


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


@pytest.mark.parametrize("kind", ["Text", "Markdown"])
def test_link_is_unchanged_in_plain_text(kind: str) -> None:
    assert f"{LINK}?a=1&b=2" in write_message(kind, "Words", f"{LINK}?a=1&b=2", load_language("en"))
