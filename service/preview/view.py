"""A survey in a language: as the facts of its page, as an e-mail, and as a message."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from config.settings import Settings
from service.delivery.email.parts import inline_pictures
from service.delivery.email.smtp import email_branding
from service.delivery.email.text import SurveyEmail, write_email
from service.delivery.message import invitation, write_message
from service.delivery.short_text import write_sample
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.texts.catalog import Language
from service.web.page_context import EditDeadline, PageContext

_CHANNEL = "WidgetChat"


@dataclass(frozen=True, slots=True)
class View:
    """A survey in a language. `link` is the absolute URL of its form, the target of all links."""

    settings: Settings
    survey: Survey
    language: Language
    link: str

    @property
    def _today(self) -> date:
        return datetime.now(self.survey.zone_or(self.settings.time_zone)).date()

    @property
    def page(self) -> PageContext:
        """The facts of its page."""
        now, settings, editable_for = datetime.now(UTC), self.settings, self.survey.editable_for
        brand, zone = settings.brand_of(self.survey), self.survey.zone_or(settings.time_zone)
        return PageContext(
            language=self.language,
            brand=brand.name,
            support_url=brand.support_url,
            privacy_url=brand.privacy_url,
            ratings=self.survey.ratings,
            channel=_CHANNEL,
            closed_on=self._today,
            action=self.link,
            opt_out_url=f"{self.link}/stop",
            theme=brand.theme,
            until=(now + self.survey.expires - timedelta(days=1, hours=12)).date(),
            kept_for=max(settings.timings.record_retention, self.survey.expires + timedelta(days=1)),
            deadline=EditDeadline((now + editable_for).astimezone(zone), now, can_move=True) if editable_for else None,
            words=self.survey.words_in(self.language.code),
            survey="" if self.survey.brand == OwnBrand() else self.survey.name,
        )

    @property
    def email(self) -> EmailMessage:
        """The e-mail, parsed as a mail program does."""
        email = SurveyEmail(
            survey_id="preview",
            address="you@example.com",
            rating=self.survey.ratings[0],
            link=self.link,
            language=self.language,
            channel=_CHANNEL,
            closed_on=self._today,
            own=self.survey.words_in(self.language.code),
            sender=self.survey.sender_in(self.language.code),
            brand=self.survey.brand,
        )
        return message_from_bytes(write_email(email_branding(self.settings), email), policy=default)

    def part(self, kind: str) -> str:
        """Return the `plain` part of the e-mail, or its `html` with the logo inlined."""
        if kind == "html":
            return inline_pictures(self.email)
        found = self.email.get_body((kind,))
        return str(found.get_content()) if found else ""

    def short_text(self) -> str:
        """Return the SMS, with a link as long as a real one."""
        return write_sample(self.settings, self.survey, self.language)

    def message(self, kind: str) -> str:
        """Return the message as `Text` or `Html`, the formats of Dixa's channels."""
        brand = self.settings.brand_of(self.survey)
        words = invitation(self.survey, self.language, brand.name)
        return write_message(kind, words, self.link, self.language)
