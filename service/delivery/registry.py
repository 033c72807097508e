"""Makes the configured delivery channels."""

from config.settings import Settings
from service.delivery.message import MessageDelivery, Shorten
from service.delivery.note import NoteDelivery
from service.delivery.webhook import WebhookDelivery
from service.surveys.ports import Delivery, Dixa, Mailings


def open_deliveries(
    settings: Settings, dixa: Dixa, mailings: Mailings, *, shorten: Shorten | None = None
) -> dict[str, Delivery]:
    """Make the channels, by name. Does not connect yet."""
    message = MessageDelivery(
        dixa, brand=settings.brand_name, default_language=settings.default_language, shorten=shorten
    )
    found: list[Delivery] = [message, NoteDelivery(dixa)]
    if settings.mail:
        # It takes 3 MB, with Jinja and the parser of e-mails.
        from service.delivery.email.smtp import EmailDelivery, email_branding  # noqa: PLC0415

        budget = settings.timings.mail_budget
        found.append(EmailDelivery(settings.mail.server, email_branding(settings), mailings, budget=budget))
    if settings.delivery_webhook:
        found.append(WebhookDelivery(settings.delivery_webhook, settings.default_language))
    return {each.name: each for each in found}
