"""The sandbox's webhooks match Dixa's documentation. The signature is verified independently."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from service.sandbox.dixa.webhooks import closed_event, post, sign, webhook_spelling
from service.sandbox.server import Sandbox
from tests.polling import eventually
from tests.sandbox.conftest import Client


class Target:
    """Receives webhooks. Returns the given statuses, then 202."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                target.received.append((dict(self.headers), raw))
                self.send_response(target.statuses.pop(0) if target.statuses else 202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/dixa"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(raw) for _, raw in self.received]


@pytest.fixture
def target(dixa: Sandbox) -> Iterator[Target]:
    target = Target()
    dixa.sends_webhooks_to(target.url)
    yield target
    target.server.shutdown()
    target.server.server_close()


def test_a_close_is_signed_over_the_stamp_and_the_raw_body(dixa: Sandbox, target: Target) -> None:
    dixa.close(dixa.make_conversation())
    eventually(lambda: target.received)
    headers, raw = target.received[0]
    stamp, digest = (part.split("=", 1)[1] for part in headers["X-DIXA-SIGNATURE"].split(","))
    expected = hmac.new(bytes.fromhex(dixa.secret), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    assert digest == expected
    assert abs(int(stamp) - time.time() * 1000) < 60_000
    assert headers["X-DIXA-SUBSCRIPTION-ID"] == dixa.settings.subscription_id
    assert headers["Content-Type"] == "application/json"


def test_a_known_signature_is_reproduced() -> None:
    """The signature was made with `printf '1700000000000.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:00ff`."""
    headers = sign(b"{}", "00ff", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
    assert (
        headers["X-DIXA-SIGNATURE"]
        == "t=1700000000000,v1=5e4771ad113219c16f4670be3e8791269cfe11ae310a94745ab7adb94c7a7e47"
    )


def test_a_close_contains_the_whole_conversation(dixa: Sandbox, target: Target) -> None:
    number = dixa.make_conversation(channel="WidgetChat", subject="Hello", tags=["vip"], queue="Returns")
    dixa.close(number)
    event = eventually(target.events)[0]
    conversation = event["data"]["conversation"]
    assert (event["event_fqn"], event["event_version"]) == ("CONVERSATION_CLOSED", "1")
    assert set(event) == {"event_id", "event_fqn", "event_version", "event_timestamp", "organization", "data"}
    assert (conversation["csid"], conversation["channel"], conversation["status"], conversation["direction"]) == (
        number,
        "WIDGET_CHAT",
        "CLOSED",
        "INBOUND",
    )
    assert (conversation["queue"]["name"], conversation["subject"], conversation["tags"][0]["name"]) == (
        "Returns",
        "Hello",
        "vip",
    )
    assert (conversation["requester"]["user_type"], conversation["assignee"]["user_type"]) == ("Contact", "Member")
    assert conversation["contact_point"]
    assert "language" not in conversation


def test_channels_are_in_capitals() -> None:
    spelled = ["WidgetChat", "PstnPhone", "ContactForm", "WhatsApp", "FacebookMessenger", "Email", "AwaitingPending"]
    assert [webhook_spelling(name) for name in spelled] == [
        "WIDGET_CHAT",
        "PSTN_PHONE",
        "CONTACT_FORM",
        "WHATS_APP",
        "FACEBOOK_MESSENGER",
        "EMAIL",
        "AWAITING_PENDING",
    ]


def test_every_change_of_state_sends_its_event(dixa: Sandbox, target: Target, client: Client) -> None:
    number = dixa.make_conversation()
    moves: tuple[Callable[[], object], ...] = (
        lambda: dixa.close(number),
        lambda: dixa.reopen(number),
        lambda: dixa.close(dixa.make_conversation(agent=False)),
        lambda: client.put(f"/conversations/{number}/close"),
        lambda: client.submit(number, client.offered(number)),
    )
    for count, move in enumerate(moves, 1):
        move()
        eventually(lambda expected=count: len(target.received) == expected)  # type: ignore[misc]
    assert [event["event_fqn"].removeprefix("CONVERSATION_") for event in target.events()] == [
        "CLOSED",
        "OPEN",
        "ABANDONED",
        "CLOSED",
        "RATED",
    ]
    assert len({event["event_id"] for event in target.events()}) == 5


def test_a_failed_delivery_is_retried_with_the_same_event(dixa: Sandbox, target: Target) -> None:
    target.statuses = [500, 503]
    number = dixa.make_conversation()
    dixa.close(number)
    eventually(lambda: dixa.deliveries(number)[0].is_done)
    [delivery] = dixa.deliveries(number)
    assert (delivery.attempts, delivery.status) == (3, 202)
    assert len({event["event_id"] for event in target.events()}) == 1


def test_a_refused_delivery_is_not_retried(dixa: Sandbox, target: Target) -> None:
    target.statuses = [401]
    number = dixa.make_conversation()
    dixa.close(number)
    eventually(lambda: dixa.deliveries(number)[0].is_done)
    assert (dixa.deliveries(number)[0].status, len(target.received)) == (401, 1)


def test_undeliverable_webhooks_end(dixa: Sandbox) -> None:
    dixa.sends_webhooks_to("http://127.0.0.1:1/")
    number = dixa.make_conversation()
    dixa.close(number)
    eventually(lambda: dixa.deliveries(number)[0].is_done)
    [delivery] = dixa.deliveries(number)
    assert (delivery.attempts, delivery.problem) == (dixa.settings.attempts, "ConnectionError")


def test_nothing_is_sent_without_a_target(dixa: Sandbox) -> None:
    dixa.close(dixa.make_conversation())
    assert dixa.deliveries() == []


def test_a_test_can_send_a_malformed_webhook(dixa: Sandbox, target: Target) -> None:
    event = closed_event(dixa.conversation(dixa.make_conversation()), dixa.state.organization, event_id="mine")
    del event["data"]["conversation"]["queue"]
    body = json.dumps(event).encode()
    assert post(target.url, body, sign(body, dixa.secret)) == 202
    assert target.events()[0]["event_id"] == "mine"
