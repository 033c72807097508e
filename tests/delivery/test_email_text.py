"""The e-mail is small, both parts have the same content, and values are escaped."""

import base64
import quopri
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from service.delivery.email.text import EmailBranding, SurveyEmail, write_email
from service.surveys.brand import OwnBrand
from service.surveys.language_codes import LANGUAGES
from service.surveys.links import Link, Links
from service.surveys.mailbox import Mailbox
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.surveys.theme import make_theme
from service.surveys.urls import MAX_LINK_BYTES
from service.surveys.words import Sender, Words
from service.texts.catalog import load_language
from tests.processes import SECRET_KEY

CSAT, NPS, THUMBS = RatingType
PUBLIC_URL = "https://survey.northwind.example"
UUID = "7e3c2a10-5d4b-4c6a-8b1f-9f2d0e6c4b51"
# The longest possible link: three ratings, a long name and a large conversation id.
LINK = Links([SECRET_KEY], PUBLIC_URL).url(
    Link("9007199254740993", 9007199254740993, "a" * 20, tuple(Offer(each, UUID) for each in RatingType))
)
BRANDING = EmailBranding(
    Mailbox("survey@northwind.example", "Northwind Ångström"),
    Mailbox("help@northwind.example"),
    "Northwind",
    PUBLIC_URL,
)
EMAIL = SurveyEmail("48213", "ida@example.com", CSAT, LINK, load_language("en"), "WidgetChat", date(2026, 5, 12))


class ParsedHtml(HTMLParser):
    """Parses the elements, links and text of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.elements if tag == "a"]


def write(branding: EmailBranding = BRANDING, **facts: object) -> EmailMessage:
    return message_from_bytes(write_email(branding, replace(EMAIL, **facts)), policy=default)  # type: ignore[arg-type]


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found
    return str(found.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_email_is_small_and_both_parts_have_the_same_links(rating: RatingType, code: str) -> None:
    raw = write_email(BRANDING, replace(EMAIL, rating=rating, language=load_language(code)))
    assert len(raw) <= 15_000
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r\n")
    message = message_from_bytes(raw, policy=default)
    assert message.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in message.iter_parts()] == ["text/plain", "text/html"]
    assert [each.defects for each in message.walk()] == [[], [], []]
    seen, text = ParsedHtml(part(message, "html")), part(message, "plain")
    written = re.findall(r"^https://\S+$", text, re.MULTILINE)
    options = [1, 0] if rating is THUMBS else list(rating.scores)
    assert seen.links == [*(f"{LINK}?r={score}" for score in options), f"{LINK}/stop"]
    assert written == ([LINK, f"{LINK}/stop"] if rating is NPS else seen.links)
    assert text.count("http") == len(written)


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize(
    ("character", "most"),
    [("s", 15_000), ("й", 15_000), ("字", 15_600), ("😀", 17_000)],
    ids=["one byte", "two bytes", "three bytes", "four bytes"],
)
def test_the_longest_email_is_small(rating: RatingType, character: str, most: int) -> None:
    """Letters of our languages have one or two bytes in UTF-8. Words of larger characters may exceed the limit."""
    own = Words(questions={rating: character * 160}, subject=character * 120)
    branding = EmailBranding(
        Mailbox("survey@northwind.example"),
        Mailbox("help@northwind.example"),
        character * 60,
        PUBLIC_URL,
        "https://northwind.example/privacy",
    )
    email = replace(EMAIL, rating=rating, link=f"{PUBLIC_URL}/s/{'x' * 160}", own=own, channel="Email")
    sizes = {code: len(write_email(branding, replace(email, language=load_language(code)))) for code in LANGUAGES}
    assert {code: size for code, size in sizes.items() if size > most} == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_part_has_the_shorter_encoding(code: str) -> None:
    for each in write(language=load_language(code)).iter_parts():
        # quopri keeps line ends; Base64 replaces them.
        content = each.get_content().replace("\r\n", "\n").encode()
        sizes = {"quoted-printable": len(quopri.encodestring(content)), "base64": len(base64.encodebytes(content))}
        assert each["Content-Transfer-Encoding"] == min(sizes, key=lambda name: sizes[name])


def test_mostly_ascii_text_is_not_base64() -> None:
    """Spam filters distrust Base64 of plain ASCII."""
    used = {
        code: [each["Content-Transfer-Encoding"] for each in write(language=load_language(code)).iter_parts()]
        for code in ("en", "da", "el")
    }
    assert used["en"] == used["da"] == ["quoted-printable"] * 2
    assert "base64" in used["el"]


@pytest.mark.parametrize("rating", RatingType)
@pytest.mark.parametrize("code", ["en", "fr", "el", "ar"])
def test_no_line_of_a_part_is_over_76_characters(rating: RatingType, code: str) -> None:
    """RFC 2045, 6.7 and 6.8; Python's policies allow 78."""
    raw = write_email(BRANDING, replace(EMAIL, rating=rating, language=load_language(code)))
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_link_in_plain_text_has_its_own_line(code: str) -> None:
    branding = replace(BRANDING, privacy_url="https://northwind.example/privacy")
    lines = part(write(branding, language=load_language(code)), "plain").splitlines()
    assert [line for line in lines if line.endswith(":")] == []
    links = [number for number, line in enumerate(lines) if line.startswith("https://")]
    assert len(links) == 7
    assert all(lines[number - 1] and not lines[number - 2] for number in links)


@pytest.mark.parametrize("rating", RatingType)
def test_the_html_fetches_nothing(rating: RatingType) -> None:
    seen = ParsedHtml(part(write(rating=rating), "html"))
    assert not {"img", "link", "script", "iframe", "form", "object"} & {tag for tag, _ in seen.elements}
    fetched = [
        name for _, attributes in seen.elements for name in attributes if name in {"src", "background", "srcset"}
    ]
    assert fetched == []
    html = part(write(rating=rating), "html")
    assert "url(" not in html
    assert "@import" not in html
    assert {urlsplit(each).hostname for each in re.findall(r"https?://[^\s\"']+", html)} == {"survey.northwind.example"}


@pytest.mark.parametrize(("code", "direction"), [("en", "ltr"), ("ar", "rtl"), ("he", "rtl"), ("da", "ltr")])
def test_the_language_is_declared(code: str, direction: str) -> None:
    message = write(language=load_language(code))
    (html,) = [attributes for tag, attributes in ParsedHtml(part(message, "html")).elements if tag == "html"]
    assert (html["lang"], html["dir"]) == (code, direction)
    assert message["Content-Language"] == code


@pytest.mark.parametrize("rating", [CSAT, THUMBS])
def test_each_link_has_text(rating: RatingType) -> None:
    seen = ParsedHtml(part(write(rating=rating), "html"))
    words = {CSAT: ("Very dissatisfied", "Satisfied", "Neutral"), THUMBS: ("Yes", "No")}[rating]
    assert all(word in seen.text for word in words)
    assert "Your chat with support on 12\xa0May\xa02026" in seen.text


@pytest.mark.parametrize(("rating", "rows"), [(CSAT, [1] * 5), (NPS, [6, 5]), (THUMBS, [1, 1])])
def test_a_phone_has_room_for_each_row_of_options(rating: RatingType, rows: list[int]) -> None:
    counts = [row.count("?r=") for row in part(write(rating=rating), "html").split("<tr")]
    assert [each for each in counts if each] == rows


def test_the_styles_are_supported_by_mail_programs() -> None:
    html = part(write(rating=NPS), "html")
    assert "border-radius:0 0 16px 16px" in html, "rounded at the top, the accent's line would taper"
    assert "text-wrap:balance" in html
    assert "calc(" not in html
    assert not re.search(r"margin:[^;\"]*-\d", html), "Gmail and Outlook drop it, and the rest would overflow"


def test_the_preview_is_hidden() -> None:
    hidden = [attributes for tag, attributes in ParsedHtml(part(write(), "html")).elements if tag == "div"]
    assert [str(each["style"]).split(";")[0] for each in hidden] == ["display:none"]


@pytest.mark.parametrize("rating", RatingType)
def test_the_email_has_greeting_question_and_subject_matter(rating: RatingType) -> None:
    message = write(rating=rating)
    assert part(message, "plain").splitlines()[:4] == ["Northwind", "", "Hello,", ""]
    seen = ParsedHtml(part(message, "html")).text
    question = {CSAT: "How satisfied", NPS: "How likely", THUMBS: "Did we solve"}[rating]
    assert seen.index("Hello,") < seen.index(question) < seen.index("Your chat with support on 12\xa0May\xa02026")
    assert "Your chat with support on 12\xa0May\xa02026" in part(message, "plain")


def test_the_email_mentions_both_taps() -> None:
    """A tap on a rating saves nothing. The second tap, on the page, does."""
    seen, text = ParsedHtml(part(write(), "html")), part(write(), "plain")
    assert "It takes two taps and less than a minute." in seen.text
    for words in (seen.text, text):
        assert "Confirm on the next page." in words
        assert "one tap" not in words.casefold()


def test_values_are_escaped() -> None:
    html = part(write(replace(BRANDING, brand='<script>alert("1")</script>')), "html")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_configured_privacy_notice_is_linked() -> None:
    message = write(replace(BRANDING, privacy_url="https://northwind.example/privacy?a=1&b=2"))
    assert ParsedHtml(part(message, "html")).links[-1] == "https://northwind.example/privacy?a=1&b=2"
    assert part(message, "plain").rstrip().endswith("https://northwind.example/privacy?a=1&b=2")


def test_the_email_has_the_colours_of_the_brand() -> None:
    html = part(write(replace(BRANDING, theme=make_theme("#7a00e6", None, None))), "html")
    assert html.count("#7a00e6") == 2
    assert html.count("#b056ff!important") == 2
    assert not {"#0b5d56", "#6fd6c6"} & set(re.findall(r"#[0-9a-f]{6}", html))


def test_a_surveys_own_brand_replaces_the_common_one() -> None:
    own = OwnBrand(name="Tidewater", accent="#9d174d", privacy_url="https://tidewater.example/privacy")
    message = write(replace(BRANDING, privacy_url="https://northwind.example/privacy"), brand=own, rating=NPS)
    for kind in ("html", "plain"):
        text = part(message, kind)
        assert "recommend Tidewater to a friend?" in text
        assert "in touch with Tidewater." in text
        assert "https://tidewater.example/privacy" in text
        assert not re.search(r"Northwind|//northwind\.example", text)
    assert "#9d174d" in part(message, "html")
    assert "#0b5d56" not in part(message, "html")


@pytest.mark.parametrize(
    ("sender", "own", "shown"),
    [
        (Sender(), OwnBrand(), "Northwind Ångström <survey@northwind.example>"),
        (Sender(), OwnBrand(accent="#9d174d"), "Northwind Ångström <survey@northwind.example>"),
        (Sender(), OwnBrand("Tidewater"), "Tidewater <survey@northwind.example>"),
        (Sender(Mailbox("ask@t.example")), OwnBrand("Tidewater"), "Tidewater <ask@t.example>"),
        (Sender(Mailbox("ask@t.example", "Mia")), OwnBrand("Tidewater"), "Mia <ask@t.example>"),
        (Sender(Mailbox("ask@t.example")), OwnBrand(), "Northwind <ask@t.example>"),
    ],
)
def test_from_has_the_senders_name_or_the_brand_of_the_survey(sender: Sender, own: OwnBrand, shown: str) -> None:
    """The next fallbacks are the name in MAIL_FROM and the installation's brand."""
    message = write(sender=sender, brand=own)
    assert str(message["From"]) == shown
    assert str(message["Reply-To"]) == f"{own.name or 'Northwind'} <help@northwind.example>"


def test_the_longest_email_with_an_own_brand_is_small() -> None:
    own = OwnBrand(name="й" * 60, accent="#9d174d", privacy_url="https://tidewater.example/".ljust(MAX_LINK_BYTES, "p"))
    email = replace(EMAIL, link=f"{PUBLIC_URL}/s/{'x' * 160}", brand=own, channel="Email")
    for rating in RatingType:
        words = Words(questions={rating: "й" * 160}, subject="й" * 120)
        longest = replace(email, rating=rating, own=words)
        sizes = {code: len(write_email(BRANDING, replace(longest, language=load_language(code)))) for code in LANGUAGES}
        assert {code: size for code, size in sizes.items() if size > 15_000} == {}


def test_a_survey_may_have_its_own_subject_and_question() -> None:
    own = Words(questions={CSAT: "Var du <tilfreds>?"}, subject="Hvordan gik det? Øllebrød & co")
    message = write(own=own, language=load_language("da"))
    assert message["Subject"] == "Hvordan gik det? Øllebrød & co"
    html = part(message, "html")
    assert ">Var du &lt;tilfreds&gt;?</h1>" in html
    assert "Hvor tilfreds er du" not in html
    assert "Var du <tilfreds>?" in part(message, "plain")
    assert "Hvor sandsynligt" in part(write(own=own, rating=NPS, language=load_language("da")), "html")
