"""Signed webhooks: a channel to the team's own sender of links, and the whole answer for the team's own receiver.

They follow the Standard Webhooks scheme. Retries have the same `webhook-id`, so a receiver can drop duplicates.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from standardwebhooks.webhooks import Webhook

from config.endpoints import SignedEndpoint
from service.delivery.outbound import Outbound
from service.surveys.errors import DeliveryRefused, DeliveryUnknown, NotDelivered, Unconfirmable
from service.surveys.language_codes import find_language
from service.surveys.model import Record
from service.surveys.ports import Action, Deadline, Delivery, FollowUpContext
from service.surveys.states import OfferState, SurveyEvent

LINK = "survey.link"
ANSWER = "survey.answered"
TEST = "afterword.test"


@dataclass(frozen=True, slots=True)
class Happened:
    """When something happened, and the id of its webhook."""

    webhook_id: str
    at: datetime


class SignedWebhooks:
    """Signs and posts events."""

    def __init__(self, endpoint: SignedEndpoint) -> None:
        self._outbound = Outbound(endpoint.url)
        self._webhook = Webhook(endpoint.secret)
        self.limit = self._outbound.limit

    def send(self, kind: str, record: Record, data: dict[str, Any], deadline: Deadline) -> None:
        """Post one event about a survey. Raises the errors of `Outbound.post`."""
        self._post(kind, f"afterword-{record.survey_id}-{kind.rpartition('.')[2]}", _facts(record) | data, deadline)

    def send_event(
        self, event: SurveyEvent, record: Record, data: dict[str, Any], happened: Happened, deadline: Deadline
    ) -> None:
        """Post an event that happened at some time. Raises the errors of `Outbound.post`."""
        self._post(event.type, happened.webhook_id, _facts(record) | data, deadline, happened.at)

    def send_test(self, deadline: Deadline) -> None:
        """Post an event without a survey, for `afterword doctor --send`. Raises the errors of `Outbound.post`."""
        self._post(TEST, f"afterword-test-{token_hex(8)}", {}, deadline)

    def _post(
        self, kind: str, webhook_id: str, data: dict[str, Any], deadline: Deadline, at: datetime | None = None
    ) -> None:
        now = datetime.now(UTC)
        body = json.dumps({"type": kind, "timestamp": time_of(at or now), "data": data}, ensure_ascii=False)
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(webhook_id, now, body),
        }
        self._outbound.post(body.encode(), headers, deadline)


class WebhookDelivery(Delivery):
    """Passes the link to the team's own sender for delivery."""

    name = "webhook"

    def __init__(self, endpoint: SignedEndpoint, default_language: str) -> None:
        self._webhooks = SignedWebhooks(endpoint)
        self._default_language = default_language

    def can_reach(self, record: Record) -> bool:
        """Return whether the customer's id is known: the sender needs it."""
        return record.close is not None and record.close.requester_id is not None

    def reconcile(self, record: Record, deadline: Deadline) -> None:
        """Return None: we cannot check; the sender deduplicates by `webhook-id`. Raises NotNow while it is busy."""
        self._webhooks.limit.check()

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Post the link.

        If an earlier attempt may have arrived, no failure of this one may move the survey to another channel: the
        customer would get two links.
        """
        data = {"link": link, "language": find_language(record.offer.language) or self._default_language}
        try:
            self._webhooks.send(LINK, record, data, deadline)
        except (NotDelivered, DeliveryRefused) as error:
            if record.offer.state is not OfferState.DELIVERING:
                raise
            problem = f"{error}, and an earlier try may have arrived"
            raise (DeliveryUnknown if isinstance(error, NotDelivered) else Unconfirmable)(problem) from error


class AnswerWebhook(Action):
    """Sends the whole answer to the team's own receiver. The comment is included: unlike an alert it is private."""

    kind = "webhook"
    max_age = timedelta(days=1)

    def __init__(self, endpoint: SignedEndpoint) -> None:
        self._webhooks = SignedWebhooks(endpoint)

    def act(self, context: FollowUpContext, deadline: Deadline, *, is_retry: bool) -> None:
        """Post the answer. A retry needs no check: the receiver deduplicates by `webhook-id`."""
        answer = context.record.answered
        data = {
            "scores": dict(answer.scores),
            "comment": context.comment or None,
            "has_comment": context.has_comment,
            "is_suspect": context.is_suspect,
            "language": answer.language or None,
            "answered_at": time_of(answer.answered_at),
        }
        self._webhooks.send(ANSWER, context.record, data, deadline)


def _facts(record: Record) -> dict[str, Any]:
    close = record.close
    return {
        "survey_id": record.survey_id,
        "survey": record.terms.name if record.terms else None,
        "conversation_id": record.conversation_id,
        "channel": close and close.channel,
        "queue_id": close and close.queue_id,
        "requester_id": close and close.requester_id,
        "agent_id": close and close.agent_id,
        "closed_at": time_of(close.closed_at) if close else None,
        "ratings": {offer.rating: offer.rating_id for offer in record.offers},
    }


def time_of(moment: datetime) -> str:
    """Return a time as webhooks have it, in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
