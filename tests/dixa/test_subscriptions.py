"""Webhook subscriptions, their deliveries and the activity log, as the client reads them from the sandbox."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from service.dixa.client import DixaClient
from service.dixa.payloads import PayloadError
from service.dixa.subscriptions import EVENTS, load_subscription
from service.sandbox.dixa.model import now
from service.sandbox.server import Sandbox
from tests.dixa.test_client import slot_of

URL = "http://127.0.0.1:9/webhooks/dixa"


@pytest.fixture(autouse=True)
def own_subscriptions(dixa: Sandbox) -> Iterator[None]:
    """Keep the subscriptions of other tests out."""
    before = dict(dixa.state.subscriptions)
    dixa.state.subscriptions.clear()
    yield
    dixa.state.subscriptions.clear()
    dixa.state.subscriptions.update(before)


def test_subscription_is_made_changed_and_listed(client: DixaClient, dixa: Sandbox) -> None:
    made = client.subscribe(slot_of(client), URL, EVENTS)
    assert (made.url, made.events, made.enabled, made.authorization) == (URL, EVENTS, True, "")
    assert made.secret_key == dixa.state.subscriptions[made.id].secret
    assert made.secret_key not in repr(made)
    changed = client.change_subscription(slot_of(client), made.id, {"enabled": False, "events": ["ConversationOpen"]})
    assert (changed.enabled, changed.events, changed.url) == (False, frozenset({"ConversationOpen"}), URL)
    assert changed in client.subscriptions(slot_of(client))


def test_lost_webhook_is_in_the_delivery_log_with_its_payload(client: DixaClient, dixa: Sandbox) -> None:
    made = client.subscribe(slot_of(client), URL, EVENTS)
    closed = {each.event: each for each in client.last_deliveries(slot_of(client), made.id)}["ConversationClosed"]
    assert closed.at is None
    dixa.loses_webhooks()
    number = dixa.make_conversation()
    dixa.close(number)
    (logged,) = client.delivery_log(slot_of(client), made.id, "ConversationClosed")
    assert (logged.succeeded, logged.at is not None) == (False, True)
    conversation = json.loads(logged.payload)["data"]["conversation"]
    assert conversation["csid"] == number
    assert "user_type" not in conversation["requester"]
    assert logged.payload not in repr(logged)
    closed = {each.event: each for each in client.last_deliveries(slot_of(client), made.id)}["ConversationClosed"]
    assert (closed.succeeded, closed.status) == (False, 503)


def test_webhook_lost_without_a_trace_is_only_in_the_activity_log(client: DixaClient, dixa: Sandbox) -> None:
    made = client.subscribe(slot_of(client), URL, EVENTS)
    dixa.loses_webhooks(is_logged=False)
    before, number = now(), dixa.make_conversation()
    dixa.close(number)
    assert client.delivery_log(slot_of(client), made.id, "ConversationClosed") == ()
    closes, _ = client.logged_closes(slot_of(client), before, now() + timedelta(seconds=1))
    assert [found for found, _ in closes] == [number]
    assert client.logged_closes(slot_of(client), before - timedelta(days=2), before)[0] == ()


def test_activity_log_has_pages(client: DixaClient, dixa: Sandbox) -> None:
    before = now()
    made = [dixa.make_conversation() for _ in range(60)]
    for number in made:
        dixa.close(number)
    found, key = [], None
    while True:
        page, key = client.logged_closes(slot_of(client), before, now() + timedelta(seconds=1), key)
        found += [number for number, _ in page]
        if key is None:
            break
    assert sorted(found) == made


def test_agents_and_contact_points_are_listed(client: DixaClient, dixa: Sandbox) -> None:
    names, key = client.agents(slot_of(client))
    assert (names[dixa.state.agents[0].id], key) == ("Mads Lund", None)
    assert "support@nordlys.example" in client.contact_points(slot_of(client))


def test_subscription_without_a_key_is_refused_without_quoting_it() -> None:
    body = {"data": {"id": "a", "url": "https://a.example", "enabled": True, "secretKey": 5}}
    with pytest.raises(PayloadError, match=r"body\.secretKey: Not a valid string"):
        load_subscription(body)
