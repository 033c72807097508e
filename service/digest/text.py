"""Writes a digest: as plain text, as an e-mail, and for Slack."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from config.settings import Settings
from service.delivery.slack import escape
from service.digest.content import Digest, explain_changes
from service.surveys.mailbox import Mailbox

if TYPE_CHECKING:
    from jinja2 import Template

CAPTION = "Of the conversations closed in this week, and in the one before:"
FOOTER = "Weekly digest of Afterword. DIGEST_TO, DIGEST_SLACK_WEBHOOK_URL and DIGEST_AT choose who gets it, and when."


@dataclass(frozen=True, slots=True)
class Letter:
    """A digest of an installation. `window` is the address of the operator's window, or ""."""

    settings: Settings
    digest: Digest
    window: str = ""

    @classmethod
    def of(cls, settings: Settings, digest: Digest) -> Self:
        """Return the letter of a digest."""
        return cls(settings, digest, f"{settings.window_url}/operator" if settings.has_window else "")

    @property
    def week(self) -> str:
        """The week in words."""
        first, last = self.digest.first, self.digest.last
        begin = f"{first.day}" if first.month == last.month else f"{first.day} {first:%b}"
        return f"{begin}\u2013{last.day} {last:%b %Y}"

    @property
    def subject(self) -> str:
        """The subject: the week, the first figure and the number of problems."""
        count = len(self.digest.problems)
        problems = f", {count} problem{'s' if count > 1 else ''}" if count else ""
        return f"Surveys {self.week}: {self.digest.headline}{problems}"

    def as_text(self) -> str:
        """Return plain text."""
        return "\n".join([*self._lines(), FOOTER]) + "\n"

    def as_slack(self) -> str:
        """Return the text for Slack: bold headings, and the numbers in columns."""
        return escape("\n".join(self._lines("*{}*", "```")))

    def _lines(self, heading: str = "{}", fence: str = "") -> list[str]:
        digest = self.digest
        width = max(len(each.now) for each in digest.numbers)
        fences = [fence] if fence else []
        return [
            heading.format(f"{self.settings.brand_name}: surveys, {self.week}"),
            "",
            CAPTION,
            *fences,
            *(f"{each.label:<10}{each.now:>{width}}   ({each.before})" for each in digest.numbers),
            *fences,
            "",
            *digest.figures,
            "",
            heading.format("What changed"),
            *(f"- {each}" for each in digest.changes),
            explain_changes(digest),
            "",
            heading.format("What is broken"),
            *([f"- {each}" for each in digest.problems] or ["Nothing."]),
            "",
            *([self.window] if self.window else []),
        ]

    def as_html(self) -> str:
        """Return the HTML of the e-mail."""
        settings = self.settings
        return _template().render(
            subject=self.subject,
            week=self.week,
            digest=self.digest,
            explanation=explain_changes(self.digest),
            brand=settings.brand_name,
            theme=settings.theme,
            window=self.window,
            caption=CAPTION,
            footer=FOOTER,
        )

    def as_email(self, sender: Mailbox, recipient: Mailbox, sent_on: date) -> bytes:
        """Return the whole message. Its Message-ID is of the day, so that a second one is known as such."""
        # The parser of e-mails takes 1 MB.
        from service.delivery.email.headers import POLICY  # noqa: PLC0415
        from service.delivery.email.text import make_address, shorter_encoding  # noqa: PLC0415

        message = EmailMessage(policy=POLICY)
        message["From"] = make_address(sender, self.settings.brand_name)
        message["To"] = Address(recipient.name, addr_spec=recipient.address)
        message["Subject"] = self.subject
        message["Date"] = datetime.now(UTC)
        host = urlsplit(self.settings.public_url).hostname or ""
        message["Message-ID"] = f"<afterword.digest.{sent_on}@{f'[IPv6:{host}]' if ':' in host else host}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        text, html = self.as_text(), self.as_html()
        message.set_content(text, cte=shorter_encoding(text))
        message.add_alternative(html, subtype="html", cte=shorter_encoding(html))
        message["Content-Language"] = "en"
        return message.as_bytes()


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - workers without e-mail need none

    source = Path(__file__).with_name("digest.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string("".join(line.strip() for line in source.splitlines()))
