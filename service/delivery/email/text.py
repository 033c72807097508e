"""Writes the survey e-mail: its headers, its HTML and its plain text, which works alone."""

import base64
import quopri
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, Template

from service.delivery.email.headers import POLICY
from service.delivery.email.parts import LOGO_ID, make_answers, make_picture
from service.delivery.email.words import Words, write_words
from service.surveys.brand import Brand, OwnBrand
from service.surveys.mailbox import Mailbox
from service.surveys.ratings import RatingType
from service.surveys.theme import DEFAULT_LOOK, Look
from service.surveys.words import NEUTRAL, Sender
from service.surveys.words import Words as OwnWords
from service.texts.catalog import DEFAULT, Language

_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class EmailBranding:
    """What all e-mails of an installation share."""

    sender: Mailbox
    reply_to: Mailbox | None
    brand: str
    public_url: str
    privacy_url: str | None = None
    default_language: str = DEFAULT
    look: Look = DEFAULT_LOOK
    time_zone: ZoneInfo = _UTC

    def of(self, own: OwnBrand) -> Self:
        """The same for a survey that asks for a brand of its own, whose name goes before those of the mailboxes."""
        brand = own.over(Brand(self.brand, self.look, privacy_url=self.privacy_url))
        sender, reply_to = self.sender, self.reply_to
        if own.name:
            sender = replace(sender, name=own.name)
            reply_to = reply_to and replace(reply_to, name=own.name)
        return replace(
            self, sender=sender, reply_to=reply_to, brand=brand.name, look=brand.look, privacy_url=brand.privacy_url
        )


@dataclass(frozen=True, slots=True)
class SurveyEmail:
    """One e-mail: to whom it goes, about what, and where its links lead.

    `own` are the survey's own words in this language; `sender` and `brand` are what it says of itself in place of the
    letterhead.
    """

    survey_id: str
    address: str
    rating: RatingType
    link: str
    language: Language
    channel: str | None
    closed_on: date
    own: OwnWords = NEUTRAL
    sender: Sender = field(default_factory=Sender)
    brand: OwnBrand = field(default_factory=OwnBrand)
    is_reminder: bool = False

    @property
    def stop(self) -> str:
        """Where the customer stops these e-mails."""
        return f"{self.link}/stop"


_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "quoted-printable": quopri.encodestring,
    "base64": base64.encodebytes,
}


def write_email(head: EmailBranding, letter: SurveyEmail) -> bytes:
    """Write the whole message, ready for SMTP's DATA. No line break of a value can begin a header of its own."""
    head = head.of(letter.brand)
    words = write_words(
        letter.language,
        letter.rating,
        brand=head.brand,
        channel=letter.channel,
        closed_on=letter.closed_on,
        own=letter.own,
    )
    reply_to = letter.sender.reply_to or head.reply_to
    message = EmailMessage(policy=POLICY)
    message["From"] = _written(sender_of(head, letter), head.brand)
    message["To"] = Address(addr_spec=letter.address)
    if reply_to:
        message["Reply-To"] = _written(reply_to, head.brand)
    message["Subject"] = words.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = message_id(head.public_url, letter.survey_id, is_reminder=letter.is_reminder)
    message["Auto-Submitted"] = "auto-generated"
    # Exchange looks at no other header before it sends an out-of-office reply or a receipt.
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Unsubscribe"] = f"<{letter.stop}>"
    if letter.stop.startswith("https://"):  # RFC 8058, 3.1: one click needs https.
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    text, html = write_text(head, letter, words), write_html(head, letter, words)
    message.set_content(text, cte=_shorter_encoding(text))
    message.add_alternative(html, subtype="html", cte=_shorter_encoding(html))
    _add_logo(message, head)
    # Only now: whatever begins with Content- is forgotten when the content is set.
    message["Content-Language"] = words.language.code
    return message.as_bytes()


def _add_logo(message: EmailMessage, head: EmailBranding) -> None:
    """Put the logo beside the HTML: what an e-mail brings along is shown without asking anybody for it."""
    logo, html = make_picture(head.look), message.get_body(("html",))
    if logo and html:
        html.add_related(logo.content, "image", "png", cid=f"<{LOGO_ID}>", disposition="inline", filename="logo.png")


def sender_of(head: EmailBranding, letter: SurveyEmail) -> Mailbox:
    """Say whom a letter is from, in its header and in its envelope."""
    return letter.sender.email or head.sender


def message_id(public_url: str, survey_id: str, *, is_reminder: bool = False) -> str:
    """Name a survey's e-mail: the same each time it is written, so that a mail program knows a second one."""
    name = f"{survey_id}.reminder" if is_reminder else survey_id
    host = urlsplit(public_url).hostname or ""
    domain = f"[IPv6:{host}]" if ":" in host else host
    return f"<afterword.{name}@{domain}>"


def write_html(head: EmailBranding, letter: SurveyEmail, words: Words) -> str:
    """Write the HTML part."""
    return _template().render(
        words=words,
        brand=head.brand,
        look=head.look,
        logo=make_picture(head.look),
        logo_id=LOGO_ID,
        stop=letter.stop,
        privacy_url=head.privacy_url,
        answers=make_answers(letter.rating, words.options, letter.link),
        columns=6 if letter.rating is RatingType.NPS else 1,
        side=500 if letter.rating is RatingType.NPS else 300,
    )


def write_text(head: EmailBranding, letter: SurveyEmail, words: Words) -> str:
    """Write the plain text. Each link has a line of its own, so that nothing sticks to it."""
    return "\n".join(_lines(head, letter, words)) + "\n"


def _lines(head: EmailBranding, letter: SurveyEmail, words: Words) -> Iterator[str]:
    yield from (head.brand, "", words.greeting, "", words.question, words.about)
    yield from ("", words.hint) if words.hint else ()
    yield from _option_lines(letter, words)
    yield from ("", words.next, "", "-- ", words.why, "", words.stop, letter.stop)
    yield from ("", words.privacy, head.privacy_url) if head.privacy_url else ()


def _option_lines(letter: SurveyEmail, words: Words) -> Iterator[str]:
    """Give each answer and its link; a scale of numbers has the page's link, which is easier than eleven long ones."""
    if letter.rating is RatingType.NPS:
        yield from ("", letter.link)
        return
    for score, text in words.options.items():
        yield from ("", f"{score} {text}" if letter.rating is RatingType.CSAT else text, f"{letter.link}?r={score}")


def _written(mailbox: Mailbox, brand: str) -> Address:
    return Address(mailbox.name or brand, addr_spec=mailbox.address)


@cache
def _template() -> Template:
    source = Path(__file__).with_name("email.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string("".join(line.strip() for line in source.splitlines()))


def _shorter_encoding(text: str) -> str:
    """Choose how a part travels: quoted-printable triples what isn't ASCII, Base64 adds a third to everything.

    Neither has a line over 76 characters. As they are, in 7bit, our links would be longer than lines should be.
    """
    return min(_ENCODERS, key=lambda name: len(_ENCODERS[name](text.encode())))
