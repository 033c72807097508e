"""Requests of the client, and the error for each kind of failure."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from service.dixa.client import DixaClient
from service.dixa.errors import TokenRefused
from service.dixa.subscriptions import EVENTS
from service.sandbox.dixa.model import Person
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.server import Sandbox
from service.surveys.errors import CallError, Forbidden, OutcomeUnknown, Refused, RetryLater
from service.surveys.ports import Deadline, EndUser, Slot
from service.surveys.ratings import RatingType
from tests.openapi import MISSING, Description

Call = Callable[[DixaClient, Slot, int], Any]
AT = datetime(2026, 11, 20, 9, 15, 2, 114_000, tzinfo=timezone(timedelta(hours=1)))
PLENTY = Deadline(timedelta(days=1))
USER = "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90"
SUBSCRIPTION = "5e9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10"
IDA = Person("Ida Holm", "ida@example.com", "+4520123456", id=USER)


def offer(client: DixaClient, slot: Slot, number: int, rating: RatingType = RatingType.CSAT) -> str:
    return client.offer(slot, number, rating, user_id=USER, agent_id=None, offered_at=AT)


def submit(client: DixaClient, slot: Slot, number: int) -> None:
    rating_id = offer(client, slot, number)
    client.submit(slot, number, rating_id, rating=RatingType.CSAT, score=5, comment="", submitted_at=AT)


def add_message(client: DixaClient, slot: Slot, number: int) -> None:
    client.add_message(slot, number, agent_id=USER, kind="Html", text="<p>Hello</p>", external_id="afterword-1")


QUERIES: dict[str, Call] = {
    "conversation": DixaClient.conversation,
    "ratings": DixaClient.ratings,
    "messages": DixaClient.messages,
    "notes": DixaClient.notes,
    "tags": lambda client, slot, number: client.tags(slot),
    "conversation_tags": DixaClient.conversation_tags,
    "organization": lambda client, slot, number: client.organization_name(slot),
    "queues": lambda client, slot, number: client.queues(slot),
    "end_user": lambda client, slot, number: client.end_user(slot, USER),
    "search": lambda client, slot, number: client.closed_between(slot, AT, AT + timedelta(days=9999)),
    "agents": lambda client, slot, number: client.agents(slot),
    "contact_endpoints": lambda client, slot, number: client.contact_points(slot),
    "activity_log": lambda client, slot, number: client.logged_closes(slot, AT, AT + timedelta(days=9999)),
    "subscriptions": lambda client, slot, number: client.subscriptions(slot),
    "delivery_status": lambda client, slot, number: client.last_deliveries(slot, SUBSCRIPTION),
    "delivery_logs": lambda client, slot, number: client.delivery_log(slot, SUBSCRIPTION, "ConversationClosed"),
}
COMMANDS: dict[str, Call] = {
    "offer": offer,
    "submit": lambda client, slot, number: client.submit(
        slot, number, "a-rating", rating=RatingType.CSAT, score=5, comment="", submitted_at=AT
    ),
    "message": add_message,
    "close": lambda client, slot, number: client.close(slot, number, user_id=USER),
    "note": lambda client, slot, number: client.add_note(slot, number, "Hello"),
    "tag": lambda client, slot, number: client.add_tag(slot, number, USER),
    "subscribe": lambda client, slot, number: client.subscribe(slot, "https://one.example/webhooks/dixa", EVENTS),
    "change_subscription": lambda client, slot, number: client.change_subscription(
        slot, SUBSCRIPTION, {"events": sorted(EVENTS), "enabled": True}
    ),
}
ALL = QUERIES | COMMANDS


def slot_of(client: DixaClient, seconds: float = 5.0) -> Slot:
    return client.take_slot(Deadline(timedelta(seconds=seconds)), timedelta(seconds=1))


def unlimited_slot(dixa: Sandbox, deadline: Deadline) -> Slot:
    """A slot outside of the rate limit, since a 429 would pause it."""
    return Slot(dixa.token, deadline)


@pytest.fixture
def number(dixa: Sandbox) -> int:
    dixa.state.subscriptions[SUBSCRIPTION] = Subscription("http://127.0.0.1:9/webhooks/dixa", id=SUBSCRIPTION)
    return dixa.make_conversation(language="da", requester=IDA)


def test_the_tables_list_every_call() -> None:
    found = {name for name, _ in inspect.getmembers(DixaClient, inspect.isfunction) if not name.startswith("_")}
    queries = {"conversation", "ratings", "messages", "notes", "conversation_tags", "tags", "organization_name"}
    queries |= {"queues", "closed_between", "end_user", "agents", "contact_points", "logged_closes"}
    queries |= {"subscriptions", "last_deliveries", "delivery_log"}
    assert found == {"take_slot", "downtime"} | queries | {
        "offer",
        "submit",
        "add_message",
        "close",
        "add_note",
        "add_tag",
        "subscribe",
        "change_subscription",
    }


@pytest.mark.parametrize("channel", ["Email", "WidgetChat", "Messenger", "ContactForm", "Sms", "WhatsApp", "PstnPhone"])
def test_every_exchange_matches_dixas_openapi_description(client: DixaClient, dixa: Sandbox, channel: str) -> None:
    description = Description.load()
    if description is None:
        pytest.skip(MISSING)
    number = dixa.make_conversation(channel=channel, requester=IDA)
    dixa.sends_webhooks_to(None)
    slot = slot_of(client)
    made = client.subscribe(slot, "http://127.0.0.1:9/webhooks/dixa", EVENTS)
    dixa.state.subscriptions[SUBSCRIPTION] = dixa.state.subscriptions[made.id]
    dixa.loses_webhooks()
    for rating in RatingType:
        rating_id = client.offer(slot, number, rating, user_id=USER, agent_id=USER, offered_at=AT)
        best = rating.scores[-1]
        client.submit(slot, number, rating_id, rating=rating, score=best, comment="Fin 🙂", submitted_at=AT)
    if channel != "PstnPhone":
        client.add_message(slot, number, agent_id=USER, kind="Markdown", text="Hello", external_id="one")
    tag = dixa.state.tag("unhappy")
    client.add_note(slot, number, "A note")
    client.add_tag(slot, number, tag.id)
    client.close(slot, number, user_id=USER)
    for query in QUERIES.values():
        query(client, slot, number)
    for exchange in dixa.calls:
        description.check(exchange)
    assert len(dixa.calls) >= 10


def test_a_search_returns_all_pages(client: DixaClient, dixa: Sandbox) -> None:
    made = [dixa.make_conversation(state="Closed") for _ in range(120)]
    dixa.make_conversation()
    slot, until = slot_of(client), datetime.now(UTC) + timedelta(minutes=1)
    found: list[int] = []
    key: str | None = None
    for size in (50, 50, 20):
        page = client.closed_between(slot, AT, until, key)
        found += page.ids
        key = page.next_key
        assert len(page.ids) == size
    assert (sorted(found), key) == (made, None)
    assert dixa.calls[0].request_json == {
        "filters": {
            "strategy": "All",
            "conditions": [
                {
                    "field": {
                        "_type": "ClosedDate",
                        "operator": {
                            "_type": "Between",
                            "timestampFrom": "2026-11-20T08:15:02.114Z",
                            "timestampTo": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                        },
                    }
                }
            ],
        }
    }
    assert client.closed_between(slot, AT, AT).ids == ()


def test_a_conversation_has_the_facts_for_a_dry_run(client: DixaClient, dixa: Sandbox) -> None:
    number = dixa.make_conversation(state="Closed", queue="Returns")
    found, made = client.conversation(slot_of(client), number), dixa.conversation(number)
    assert made.queue
    assert found.queue_id == made.queue.id
    assert found.changed_at
    assert abs(found.changed_at - made.state_updated_at) < timedelta(milliseconds=1)
    assert (found.contact_point, found.email) == (made.contact_point, made.requester.email)
    assert client.queues(slot_of(client))[made.queue.id] == "Returns"
    assert str(found.email) not in repr(found)


def test_a_requester_has_an_address_and_a_number_and_an_agent_is_none(client: DixaClient, dixa: Sandbox) -> None:
    dixa.make_conversation(requester=IDA)
    found = client.end_user(slot_of(client), USER)
    assert found == EndUser(USER, "ida@example.com", "+4520123456")
    assert "ida@" not in repr(found)
    assert "4520" not in repr(found)
    with pytest.raises(Refused) as refused:
        client.end_user(slot_of(client), dixa.state.agents[0].id)
    assert refused.value.status == 404


def test_an_offer_has_user_agent_time_and_type(client: DixaClient, dixa: Sandbox, number: int) -> None:
    rating_id = client.offer(slot_of(client), number, RatingType.NPS, user_id=USER, agent_id="agent", offered_at=AT)
    sent = {"ratingType": "Nps", "userId": USER, "agentId": "agent", "offeredAt": "2026-11-20T08:15:02.114Z"}
    assert dixa.calls[-1].request_json == sent
    assert rating_id == dixa.offers(number)[0].id


def test_an_offer_without_an_agent_has_no_agent_id(client: DixaClient, dixa: Sandbox, number: int) -> None:
    offer(client, slot_of(client), number)
    assert "agentId" not in dixa.calls[-1].request_json


def test_a_result_has_score_time_and_any_comment(client: DixaClient, dixa: Sandbox, number: int) -> None:
    slot = slot_of(client)
    submit(client, slot, number)
    assert dixa.calls[-1].request_json == {
        "ratingResult": {"_type": "Csat", "value": 5},
        "submittedAt": "2026-11-20T08:15:02.114Z",
    }
    rating_id = offer(client, slot, number)
    client.submit(slot, number, rating_id, rating=RatingType.CSAT, score=1, comment="Nej", submitted_at=AT)
    assert dixa.calls[-1].request_json["comment"] == "Nej"


def test_all_responses_are_parsed(client: DixaClient, dixa: Sandbox, number: int) -> None:
    slot = slot_of(client)
    found = client.conversation(slot, number)
    assert (found.id, found.channel, found.state, found.language) == (number, "Email", "Open", "da")
    rating_id = offer(client, slot, number)
    assert [(each.id, each.type, each.status) for each in client.ratings(slot, number)] == [
        (rating_id, "Csat", "Offered")
    ]
    add_message(client, slot, number)
    assert [each.external_id for each in client.messages(slot, number)] == ["afterword-1"]
    client.add_note(slot, number, "A note")
    assert client.notes(slot, number) == ("A note",)
    tag = dixa.state.tag("unhappy")
    assert client.tags(slot)["unhappy"] == tag.id
    client.add_tag(slot, number, tag.id)
    assert dixa.conversation(number).tags == [tag]
    client.close(slot, number, user_id=USER)
    assert client.conversation(slot, number).state == "Closed"
    assert client.organization_name(slot) == "Nordlys Outdoor"
    dixa.erase(number)
    assert client.conversation(slot, number).is_erased


SILENCE = "silence"
RETRY, FORBIDDEN, UNKNOWN, REFUSED = RetryLater, Forbidden, OutcomeUnknown, Refused
OUTCOMES: list[tuple[str, Callable[[Sandbox, str], None], type[CallError], type[CallError]]] = [
    # fault                                                                            query        command
    ("500", lambda dixa, call: dixa.fails(1, 500, call=call), RETRY, UNKNOWN),
    ("502", lambda dixa, call: dixa.fails(1, 502, call=call), RETRY, UNKNOWN),
    ("503", lambda dixa, call: dixa.fails(1, 503, call=call), RETRY, UNKNOWN),
    ("504", lambda dixa, call: dixa.executes_then_fails(1, 504, call=call), RETRY, UNKNOWN),
    ("a lost call", lambda dixa, call: dixa.drops_before(1, call=call), RETRY, UNKNOWN),
    ("a lost response", lambda dixa, call: dixa.executes_then_drops(1, call=call), RETRY, UNKNOWN),
    (SILENCE, lambda dixa, call: dixa.hangs(30, 1, call=call), RETRY, UNKNOWN),
    ("429", lambda dixa, call: dixa.throttles(1, call=call), RETRY, RETRY),
    ("401", lambda dixa, call: dixa.fails(1, 401, call=call), FORBIDDEN, FORBIDDEN),
    ("403", lambda dixa, call: dixa.fails(1, 403, call=call), FORBIDDEN, FORBIDDEN),
    ("400", lambda dixa, call: dixa.fails(1, 400, call=call), REFUSED, REFUSED),
    ("404", lambda dixa, call: dixa.fails(1, 404, call=call), REFUSED, REFUSED),
    ("407 of a proxy", lambda dixa, call: dixa.fails(1, 407, call=call), RETRY, RETRY),
    ("409", lambda dixa, call: dixa.fails(1, 409, call=call), REFUSED, REFUSED),
    ("422", lambda dixa, call: dixa.fails(1, 422, call=call), REFUSED, REFUSED),
]


@pytest.mark.parametrize(("failure", "breaks", "query", "command"), OUTCOMES, ids=[line[0] for line in OUTCOMES])
def test_each_failure_raises_the_right_error(
    client: DixaClient,
    dixa: Sandbox,
    number: int,
    failure: str,
    breaks: Callable[[Sandbox, str], None],
    query: type[CallError],
    command: type[CallError],
) -> None:
    """Each call fails once, so a hidden retry would not raise."""
    found = {}
    for name, call in ALL.items():
        breaks(dixa, name)
        # Only a silent server takes until the deadline.
        deadline = Deadline(timedelta(seconds=1)) if failure == SILENCE else PLENTY
        with pytest.raises(CallError) as caught:
            call(client, unlimited_slot(dixa, deadline), number)
        found[name] = type(caught.value)
        assert dixa.token not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    if query is FORBIDDEN:
        # Every token may call this, so the refusal is about the token.
        assert found.pop("organization") is TokenRefused
        found["organization"] = FORBIDDEN
    assert found == dict.fromkeys(QUERIES, query) | dict.fromkeys(COMMANDS, command)
    assert dixa.faults.pending() == []


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 2), (0, 0), (7, 7), (-1, 2), (99_999, 300)], ids=str)
def test_a_429_returns_the_time_until_the_retry(
    client: DixaClient, dixa: Sandbox, number: int, retry_after: int | None, seconds: int
) -> None:
    dixa.throttles(1, retry_after=retry_after)
    with pytest.raises(RetryLater) as caught:
        client.ratings(slot_of(client), number)
    assert caught.value.retry_in == timedelta(seconds=seconds)


def test_a_refusal_names_its_status_but_not_its_body(client: DixaClient, dixa: Sandbox) -> None:
    with pytest.raises(Refused) as caught:
        client.ratings(slot_of(client), 7)
    assert caught.value.status == 404
    assert str(caught.value) == "Dixa returned 404"


def test_the_repr_of_a_slot_hides_its_token(client: DixaClient, dixa: Sandbox) -> None:
    assert dixa.token not in repr(slot_of(client))


def test_nothing_is_sent_without_time_left(client: DixaClient, dixa: Sandbox, number: int) -> None:
    slot = slot_of(client)
    with pytest.raises(RetryLater):
        offer(client, Slot(slot.token, Deadline(timedelta())), number)
    assert dixa.calls == []


def test_each_slot_uses_its_own_token(client: DixaClient, dixa: Sandbox, number: int) -> None:
    good = slot_of(client)
    assert client.ratings(good, number) == ()
    with pytest.raises(RetryLater, match="DIXA_API_TOKEN"):
        client.ratings(Slot("another-token", good.deadline), number)
    assert client.ratings(good, number) == ()
