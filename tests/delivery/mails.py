"""Steps with a survey that is sent by e-mail."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from config.endpoints import SmtpServer
from service.delivery.email.smtp import EmailDelivery
from service.delivery.email.text import EmailBranding
from service.surveys.mailbox import Mailbox
from service.surveys.model import Close, Offer, OfferProgress, Record
from service.surveys.ports import Deadline
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from tests.delivery.messages import LINK, deliver_once
from tests.harness import AT_ONCE

BRANDING = EmailBranding(Mailbox("survey@northwind.example", "Northwind"), None, "Northwind", "https://survey.example")
ADDRESS = "ida@example.com"
BUDGET = timedelta(seconds=30)


class Mailings:
    """Records the lease and the start of one e-mail."""

    def __init__(self, *, is_free: bool = True) -> None:
        self.is_free = is_free
        self.begun = 0

    def extend_lease(self, survey_id: str) -> bool:
        return True

    def begin_email(self, survey_id: str) -> bool:
        self.begun += 1
        return self.is_free


def record_of(**facts: object) -> Record:
    now = datetime.now(UTC)
    close = Close(48213, now, channel="PstnPhone", requester_id="requester-1", email=ADDRESS)
    record = Record(
        "48213", 48213, now, close, AT_ONCE, OfferProgress(OfferState.DELIVERING), (Offer(RatingType.CSAT, "id-1"),)
    )
    return replace(record, **facts)  # type: ignore[arg-type]


def deliver(server: SmtpServer, *, seconds: float = 5.0, mailings: Mailings | None = None, **facts: object) -> None:
    """Deliver the e-mail of a record within this time, by a claim with more time."""
    context = facts.pop("context", None)
    assert context is None or isinstance(context, ssl.SSLContext)
    channel = EmailDelivery(server, BRANDING, mailings or Mailings(), context, budget=timedelta(seconds=seconds))
    deliver_once(channel, record_of(**facts), LINK, Deadline(BUDGET))
