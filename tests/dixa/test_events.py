"""Events of Dixa's webhooks become closes, changes, or neither."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dixa.events import Event, load_event
from service.dixa.payloads import PayloadError
from service.surveys.model import Change, Close
from service.surveys.states import ChangeKind
from tests.dixa.closes import CLOSE, CLOSED, RECEIVED, closed, in_conversation, load


def test_a_close_is_parsed() -> None:
    assert load(CLOSED) == Event("0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11", "CONVERSATION_CLOSED", CLOSE)


@pytest.mark.parametrize(
    ("roles", "user_type"),
    [
        (["Enduser"], "Contact"),
        (["EndUser"], "Contact"),
        (["Agent"], "Member"),
        (["Enduser", "Admin"], "Member"),
        ([7], "Member"),
        ([], None),
        (None, None),
        ("Enduser", None),
    ],
)
@pytest.mark.parametrize("person", ["requester", "assignee"])
def test_roles_show_the_type_of_a_person_without_one(person: str, roles: Any, user_type: str | None) -> None:
    """As in the payloads of Dixa's delivery log."""
    data: Any = CLOSED["data"]
    people = data["conversation"][person] | {"roles": roles}
    given = people | {"user_type": "Bot"}
    people.pop("user_type", None)
    for each, expected in ((people, user_type), (given, "Bot")):
        close = load(closed("data", "conversation", person, value=each)).close
        assert close
        assert (close.user_type if person == "requester" else close.assignee_type) == expected


@pytest.mark.parametrize("email", ["ida@example.com", "ida@"])
def test_the_repr_of_a_close_has_no_personal_data(email: str) -> None:
    close = load(closed("data", "conversation", "requester", "email", value=email)).close
    assert close
    assert email in {close.email, close.odd_email}
    assert not [word for word in ("Ida", "Mads", "ida@", "mads@", "Wrong", "+45") if word in repr(close)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CONVERSATION_OPEN", ChangeKind.REOPENED),
        ("CONVERSATION_PENDING", ChangeKind.REOPENED),
        ("CONVERSATION_RATED", ChangeKind.RATED),
    ],
)
def test_a_change_is_parsed(name: str, kind: ChangeKind) -> None:
    event = load(CLOSED | {"event_fqn": name})
    assert (event.close, event.change) == (None, Change(48213, kind, CLOSE.closed_at))


@pytest.mark.parametrize("name", ["ConversationClosed", "conversationClosed", "conversation_closed"])
def test_event_names_in_the_spelling_of_subscriptions_are_accepted(name: str) -> None:
    assert load(CLOSED | {"event_fqn": name}) == replace(load(CLOSED), name=name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ConversationOpen", ChangeKind.REOPENED),
        ("ConversationPending", ChangeKind.REOPENED),
        ("ConversationRated", ChangeKind.RATED),
    ],
)
def test_change_names_in_the_spelling_of_subscriptions_are_accepted(name: str, kind: ChangeKind) -> None:
    assert load(CLOSED | {"event_fqn": name}).change == Change(48213, kind, CLOSE.closed_at)


@pytest.mark.parametrize("name", ["ConversationCloseds", "Closed", "ConversationClosed.v2", ""])
def test_a_longer_event_name_is_not_a_close(name: str) -> None:
    assert load(CLOSED | {"event_fqn": name}).close is None


def test_an_abandoned_conversation_is_a_close_without_agent() -> None:
    event = load(in_conversation("assignee", None) | {"event_fqn": "CONVERSATION_ABANDONED"})
    assert event.close == replace(CLOSE, agent_id=None)


def test_other_events_need_only_a_name() -> None:
    assert load({"event_fqn": "CONVERSATION_OPEN"}) == Event("", "CONVERSATION_OPEN", None)
    assert load({"event_fqn": "CONVERSATION_OPEN", "data": {"conversation": {"csid": "x"}}}).change is None
    assert load({"event_fqn": "CONVERSATION_OPEN", "data": {"conversation": {}}}).change is None
    assert load({"event_fqn": "NEW", "data": {"conversation": "malformed"}}).close is None


def test_a_close_needs_only_a_conversation_id() -> None:
    body = {"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {"csid": 1}}}
    assert load(body) == Event("", "CONVERSATION_CLOSED", Close(conversation_id=1, closed_at=RECEIVED, tags=None))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "event_fqn"),
        ({"event_fqn": None}, "event_fqn"),
        ({"event_fqn": 5}, "event_fqn"),
        (closed("data"), "data"),
        (closed("data", value=None), "data"),
        (closed("data", value=[]), "data"),
        (closed("data", "conversation"), "data.conversation"),
        (closed("data", "conversation", value="x"), "data.conversation"),
        (in_conversation("csid"), "data.conversation.csid"),
    ],
)
def test_missing_fields_are_named(body: Any, named: str) -> None:
    with pytest.raises(PayloadError, match=rf"^body\.{named}: "):
        load(body)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-11-20T10:15:02+01:00", datetime(2026, 11, 20, 9, 15, 2, tzinfo=UTC)),
        ("2026-11-20T09:15:02.114Z[GMT]", datetime(2026, 11, 20, 9, 15, 2, 114000, tzinfo=UTC)),
        ("2026-11-20T09:20:04Z", RECEIVED + timedelta(minutes=5)),
        ("2026-11-20T09:20:05Z", RECEIVED),
        ("2026-11-20T09:15:02", RECEIVED),
        ("2026-11-20", RECEIVED),
        ("yesterday", RECEIVED),
        ("0001-01-01T00:00:00+14:00", RECEIVED),
        ("9999-12-31T23:59:59-14:00", RECEIVED),
        ("9" * 5000, RECEIVED),
        (1795166102114, RECEIVED),
    ],
)
def test_the_time_of_receipt_replaces_a_malformed_or_future_event_time(sent: Any, read: datetime) -> None:
    close = load(closed("event_timestamp", value=sent)).close
    assert close
    assert close.closed_at == read
    assert close.closed_at.tzinfo is UTC


def test_the_time_of_receipt_is_converted_to_utc() -> None:
    raw = json.dumps(closed("event_timestamp")).encode()
    close = load_event(raw, RECEIVED.astimezone(timezone(timedelta(hours=9)))).close
    assert close
    assert (close.closed_at, close.closed_at.tzinfo) == (RECEIVED, UTC)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CONVERSATIONS = st.fixed_dictionaries(
    {"csid": st.integers(1, 2**63 - 1)},
    optional=dict.fromkeys(("channel", "direction", "queue", "requester", "assignee", "tags", "subject"), JSON),
)


@given(st.binary() | JSON.map(json.dumps).map(str.encode))
def test_any_body_is_an_event_or_a_payload_error(raw: bytes) -> None:
    try:
        event = load_event(raw, RECEIVED)
    except PayloadError:
        return
    assert isinstance(event, Event)


@given(CONVERSATIONS.filter(lambda it: "NaN" not in json.dumps(it) and "Infinity" not in json.dumps(it)), JSON)
def test_any_close_with_the_required_fields_can_be_stored(conversation: Any, event_id: Any) -> None:
    if "NaN" in json.dumps(event_id) or "Infinity" in json.dumps(event_id):
        event_id = None
    event = load({"event_id": event_id, "event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": conversation}})
    assert event.close
    assert event.close.conversation_id == conversation["csid"]
    repr(event).encode()
    for text in (event.id, event.close.channel or "", event.close.queue_name or "", *(event.close.tags or ())):
        assert "\0" not in text
        assert len(text.encode()) <= 4 * 200
