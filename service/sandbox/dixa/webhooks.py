"""Sends Dixa's webhooks. Tests use its functions for malformed ones."""

import hmac
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import Timer
from typing import Any

import requests

from service.sandbox.dixa.model import Conversation, Delivery, Organization, Person, iso, new_id, now
from service.sandbox.dixa.state import State
from service.sandbox.settings import SandboxSettings

_MAX_PAUSE_SECONDS = 30.0


def webhook_spelling(name: str) -> str:
    """Convert an API name to the spelling of webhooks: `WidgetChat` is `WIDGET_CHAT`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def closed_event(
    conversation: Conversation,
    organization: Organization,
    *,
    event: str = "CONVERSATION_CLOSED",
    event_id: str | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """Make the whole body of an event about a conversation. Tests change it before signing."""
    return {
        "event_id": event_id or new_id(),
        "event_fqn": event,
        "event_version": "1",
        "event_timestamp": iso(at or now()),
        "organization": {"id": organization.id, "name": organization.name},
        "data": {"conversation": dump_conversation(conversation)} | _score(conversation, event),
    }


def dump_conversation(conversation: Conversation) -> dict[str, Any]:
    """Make an event's `data.conversation`."""
    queue = conversation.queue
    return {
        "csid": conversation.id,
        "channel": webhook_spelling(conversation.channel),
        "status": webhook_spelling(conversation.state),
        "direction": webhook_spelling(conversation.direction),
        "queue": {"id": queue.id, "name": queue.name} if queue else None,
        "contact_point": conversation.contact_point,
        "requester": _person(conversation.requester, "Contact"),
        "assignee": _person(conversation.agent, "Member") if conversation.agent else None,
        "subject": conversation.subject,
        "tags": [{"id": tag.id, "name": tag.name} for tag in conversation.tags],
        "created_at": iso(conversation.created_at),
    }


def _person(person: Person, usual_type: str) -> dict[str, Any]:
    user_type = person.user_type or usual_type
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "roles": ["Agent"] if user_type == "Member" else [],
        "user_type": user_type,
    }


def _score(conversation: Conversation, event: str) -> dict[str, Any]:
    if event != "CONVERSATION_RATED" or not conversation.results:
        return {}
    result = conversation.results[-1]
    return {"rating": {"id": result.rating_id, "type": webhook_spelling(result.type), "score": result.value}}


def sign(body: bytes, secret: str, at: datetime | None = None, subscription_id: str | None = None) -> dict[str, str]:
    """Make a webhook's headers. The secret is hex, or else used as raw bytes."""
    stamp = str(int((at or now()).timestamp() * 1000))
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = secret.encode()
    digest = hmac.new(key, stamp.encode() + b"." + body, "sha256").hexdigest()
    return {
        "Content-Type": "application/json",
        "X-DIXA-SIGNATURE": f"t={stamp},v1={digest}",
        "X-DIXA-SUBSCRIPTION-ID": subscription_id or new_id(),
    }


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float = 5.0) -> int:
    """Send a body once and return the status. Raises RequestException without a response."""
    with requests.Session() as session:
        session.trust_env = False  # A proxy of the environment may not reach this machine.
        return session.post(url, body, headers=headers, timeout=timeout, allow_redirects=False).status_code


class Webhooks:
    """Delivers events to the subscriptions in the background, with retries. The state has the result of each."""

    def __init__(self, state: State, settings: SandboxSettings) -> None:
        self._state = state
        self._settings = settings
        self._pool: ThreadPoolExecutor | None = None
        state.listeners.append(self.announce)

    def announce(self, event: str, conversation: Conversation) -> None:
        """Queue an event for delivery to each subscription for it, unless it is to be lost."""
        for subscription in self._state.subscriptions_for(event):
            document = closed_event(conversation, self._state.organization, event=event)
            delivery = Delivery(event, conversation.id, json.dumps(document).encode(), subscription.id)
            match self._state.next_loss():
                case None:
                    with self._state.lock:
                        self._state.deliveries.append(delivery)
                    self._queue(delivery)
                case "logged":
                    delivery.attempts, delivery.status, delivery.problem, delivery.is_done = 1, 503, "lost", True
                    with self._state.lock:
                        self._state.deliveries.append(delivery)

    def resume(self) -> None:
        """Begin deliveries."""
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="webhook")

    def stop(self) -> None:
        """Drop pending deliveries."""
        pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)

    def _queue(self, delivery: Delivery) -> None:
        pool = self._pool
        if pool:
            # `stop` may close the pool at this moment.
            with suppress(RuntimeError):
                pool.submit(self._attempt, delivery)

    def _attempt(self, delivery: Delivery) -> None:
        subscription = self._state.subscriptions.get(delivery.subscription_id)
        if subscription is None:
            return
        headers = sign(delivery.body, subscription.secret, subscription_id=subscription.id) | subscription.headers
        status, problem = None, None
        try:
            status = post(subscription.url, delivery.body, headers)
        except requests.RequestException as error:
            problem = type(error).__name__
        failed = status is None or status >= 500  # noqa: PLR2004
        with self._state.lock:
            delivery.attempts += 1
            delivery.status, delivery.problem = status, problem
            delivery.is_done = not failed or delivery.attempts >= self._settings.attempts
        if not delivery.is_done:
            self._later(delivery)

    def _later(self, delivery: Delivery) -> None:
        pause = min(_MAX_PAUSE_SECONDS, self._settings.pause_seconds * 2 ** (delivery.attempts - 1))
        timer = Timer(pause, self._queue, [delivery])
        timer.daemon = True
        timer.start()
