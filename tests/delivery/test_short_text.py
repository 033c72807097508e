"""Texts for SMS and WhatsApp are short, without a question, and take few segments."""

import uuid

import pytest

from service.delivery.segments import measure
from service.delivery.short_text import sample_link, write_sample, write_short_text
from service.records.short_links import LENGTH
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.links import Link, LinkError, Links
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.surveys.words import Words
from service.texts.catalog import load_language
from tests.processes import settings_for

CSAT, NPS, THUMBS = RatingType
USUAL = "https://feedback.example.com"
SHORT = f"{USUAL}/s/{'x' * LENGTH}"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize("channel", ["Sms", "WhatsApp"])
@pytest.mark.parametrize("ratings", [(CSAT,), (NPS,), (THUMBS,), (CSAT, NPS, THUMBS)])
def test_the_text_has_no_question(channel: str, ratings: tuple[RatingType, ...]) -> None:
    text = write_short_text(Survey(ratings=ratings), load_language("en"), SHORT, channel=channel)
    assert text == f"Please rate your support here: {SHORT}"


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_language_has_a_question_mark(code: str) -> None:
    text = write_short_text(Survey(stop_line=True), load_language(code), SHORT, channel="Sms")
    assert not set(text) & set("?;؟¿")


@pytest.mark.parametrize("stop_line", [False, True])
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_short_link_makes_one_gsm7_or_two_ucs2_segments(code: str, *, stop_line: bool) -> None:
    text = write_short_text(Survey(stop_line=stop_line), load_language(code), SHORT, channel="Sms")
    size = measure(text)
    assert size.segments <= (1 if size.encoding == "GSM-7" else 2), size


def test_only_expensive_punctuation_of_own_words_is_replaced() -> None:
    own = Survey(words={"da": Words(message="Fortæl os “ærligt” – hvad synes du?", questions={CSAT: "Hvor godt?"})})
    danish = load_language("da")
    sms = write_short_text(own, danish, SHORT, channel="Sms")
    assert sms == f'Fortæl os "ærligt" - hvad synes du? {SHORT}'
    # WhatsApp doesn't charge by length.
    assert write_short_text(own, danish, SHORT, channel="WhatsApp") == f"{own.words['da'].message} {SHORT}"


def test_own_words_in_ucs2_are_unchanged() -> None:
    own = Survey(words={"cs": Words(message="Řekněte nám “upřímně”:")})
    assert write_short_text(own, load_language("cs"), SHORT, channel="Sms") == f"Řekněte nám “upřímně”: {SHORT}"


def test_an_own_question_is_not_used_in_texts() -> None:
    own = Survey(words={"en": Words(questions={CSAT: "How well did we do?"})})
    assert write_short_text(own, load_language("en"), SHORT, channel="Sms").startswith("Please rate your support here:")


@pytest.mark.parametrize("channel", ["Sms", "WhatsApp"])
def test_the_stop_line_has_its_own_line(channel: str) -> None:
    text = write_short_text(Survey(stop_line=True), load_language("en"), SHORT, channel=channel)
    assert text == f"Please rate your support here: {SHORT}\nOpt out: {SHORT}/stop"


@pytest.mark.parametrize("ratings", [(CSAT,), (CSAT, NPS, THUMBS)])
def test_a_sample_link_has_the_length_of_real_links(ratings: tuple[RatingType, ...]) -> None:
    settings = settings_for(NOWHERE, PUBLIC_URL=USUAL)
    survey = Survey(ratings=ratings)
    offers = tuple(Offer(rating, str(uuid.uuid4())) for rating in ratings)
    real = Links(settings.secret_keys, USUAL).url(Link("4820311", 4820311, survey.name, offers))
    assert abs(len(sample_link(settings, survey)) - len(real)) <= 2
    assert len(sample_link(settings_for(NOWHERE, PUBLIC_URL=USUAL, SHORT_LINKS="on"), survey)) == len(SHORT)


def test_a_sample_link_is_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview writes a text twice: in a frame, and as a copy for the frame's height."""
    settings = settings_for(NOWHERE, PUBLIC_URL=USUAL)
    first = sample_link(settings, Survey())
    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 2_000_000_000)
    assert sample_link(settings, Survey()) == first


def test_a_sample_link_is_invalid() -> None:
    settings = settings_for(NOWHERE, PUBLIC_URL=USUAL)
    token = sample_link(settings, Survey()).rpartition("/")[2]
    with pytest.raises(LinkError):
        Links(settings.secret_keys, USUAL).read(token)
    assert write_sample(settings, Survey(), load_language("en")).startswith("Please rate your support here:")
