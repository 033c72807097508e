"""Writes the survey e-mail: headers, HTML, and plain text with the same links."""

import base64
import quopri
from collections.abc import Callable, Mapping
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
from service.delivery.email.parts import LOGO_ID, make_options, make_picture
from service.delivery.email.words import Words, write_words
from service.surveys.brand import Brand, OwnBrand
from service.surveys.mailbox import Mailbox
from service.surveys.ratings import RatingType
from service.surveys.theme import DEFAULT_THEME, Theme
from service.surveys.words import NEUTRAL, Sender
from service.surveys.words import Words as OwnWords
from service.texts.catalog import DEFAULT, Language

_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class EmailBranding:
    """The sender, name, colours and links of all e-mails of an installation."""

    sender: Mailbox
    reply_to: Mailbox | None
    brand: str
    public_url: str
    privacy_url: str | None = None
    default_language: str = DEFAULT
    theme: Theme = DEFAULT_THEME
    time_zone: ZoneInfo = _UTC

    def with_brand(self, own: OwnBrand) -> Self:
        """Return a copy for a survey with its own brand. Its name replaces the names of both mailboxes."""
        brand = own.with_defaults(Brand(self.brand, self.theme, privacy_url=self.privacy_url))
        sender, reply_to = self.sender, self.reply_to
        if own.name:
            sender = replace(sender, name=own.name)
            reply_to = reply_to and replace(reply_to, name=own.name)
        return replace(
            self, sender=sender, reply_to=reply_to, brand=brand.name, theme=brand.theme, privacy_url=brand.privacy_url
        )


@dataclass(frozen=True, slots=True)
class SurveyEmail:
    """One e-mail: its recipient, subject and links.

    `own` holds the survey's own words in this language. Its `sender` and `brand` override the common branding.
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
        """The opt-out link."""
        return f"{self.link}/stop"


_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "quoted-printable": quopri.encodestring,
    "base64": base64.encodebytes,
}


def write_email(branding: EmailBranding, email: SurveyEmail) -> bytes:
    """Write the whole message for SMTP's DATA. A line break in a value cannot start another header."""
    branding = branding.with_brand(email.brand)
    words = write_words(
        email.language,
        email.rating,
        brand=branding.brand,
        channel=email.channel,
        closed_on=email.closed_on,
        own=email.own,
    )
    reply_to = email.sender.reply_to or branding.reply_to
    message = EmailMessage(policy=POLICY)
    message["From"] = make_address(sender_of(branding, email), branding.brand)
    message["To"] = Address(addr_spec=email.address)
    if reply_to:
        message["Reply-To"] = make_address(reply_to, branding.brand)
    message["Subject"] = words.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = message_id(branding.public_url, email.survey_id, is_reminder=email.is_reminder)
    message["Auto-Submitted"] = "auto-generated"
    # Exchange ignores Auto-Submitted and sends out-of-office replies and receipts unless it finds this header.
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Unsubscribe"] = f"<{email.stop}>"
    if email.stop.startswith("https://"):  # RFC 8058, 3.1: one click needs https.
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    text, html = write_text(branding, email, words), write_html(branding, email, words)
    message.set_content(text, cte=shorter_encoding(text))
    message.add_alternative(html, subtype="html", cte=shorter_encoding(html))
    _add_logo(message, branding)
    # Setting the content removes all Content-* headers, so this one comes last.
    message["Content-Language"] = words.language.code
    return message.as_bytes()


def _add_logo(message: EmailMessage, branding: EmailBranding) -> None:
    """Attach the logo to the HTML. Mail programs show attached pictures without the reader's consent."""
    logo, html = make_picture(branding.theme), message.get_body(("html",))
    if logo and html:
        html.add_related(logo.content, "image", "png", cid=f"<{LOGO_ID}>", disposition="inline", filename="logo.png")


def sender_of(branding: EmailBranding, email: SurveyEmail) -> Mailbox:
    """Return the sender of an e-mail, for its header and its envelope."""
    return email.sender.email or branding.sender


def message_id(public_url: str, survey_id: str, *, is_reminder: bool = False) -> str:
    """Return the Message-ID. It is the same on each attempt, so mail programs can drop a duplicate."""
    name = f"{survey_id}.reminder" if is_reminder else survey_id
    host = urlsplit(public_url).hostname or ""
    domain = f"[IPv6:{host}]" if ":" in host else host
    return f"<afterword.{name}@{domain}>"


def write_html(branding: EmailBranding, email: SurveyEmail, words: Words) -> str:
    """Write the HTML part."""
    return _template().render(
        words=words,
        brand=branding.brand,
        theme=branding.theme,
        logo=make_picture(branding.theme),
        logo_id=LOGO_ID,
        stop=email.stop,
        privacy_url=branding.privacy_url,
        options=make_options(email.rating, words.options, email.link),
        columns=6 if email.rating is RatingType.NPS else 1,
        side=500 if email.rating is RatingType.NPS else 300,
    )


def write_text(branding: EmailBranding, email: SurveyEmail, words: Words) -> str:
    """Write the plain text. Each link has its own line, so no character next to it becomes part of it."""
    lines = [branding.brand, "", words.greeting, "", words.question, words.about]
    if words.hint:
        lines += ["", words.hint]
    if email.rating is RatingType.NPS:  # One link to the page instead of eleven long ones.
        lines += ["", email.link]
    else:
        for score, text in words.options.items():
            numbered = f"{score} {text}" if email.rating is RatingType.CSAT else text
            lines += ["", numbered, f"{email.link}?r={score}"]
    lines += ["", words.next, "", "-- ", words.why, "", words.stop, email.stop]
    if branding.privacy_url:
        lines += ["", words.privacy, branding.privacy_url]
    return "\n".join(lines) + "\n"


def make_address(mailbox: Mailbox, brand: str) -> Address:
    """Return a mailbox for a header. Without a name it has the brand's."""
    return Address(mailbox.name or brand, addr_spec=mailbox.address)


@cache
def _template() -> Template:
    """Compile the template at the first e-mail: most processes send none."""
    source = Path(__file__).with_name("email.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string("".join(line.strip() for line in source.splitlines()))


def shorter_encoding(text: str) -> str:
    """Choose the encoding of a part: quoted-printable triples non-ASCII bytes, Base64 adds a third to all of them.

    Both limit lines to 76 characters. 7bit does not, and our links are longer.
    """
    return min(_ENCODERS, key=lambda name: len(_ENCODERS[name](text.encode())))
