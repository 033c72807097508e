import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dixa import schemas
from service.dixa.events import Event, load_event
from service.dixa.payloads import PayloadError
from service.surveys.model import Change, Close
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.ratings import RatingType
from service.surveys.states import ChangeKind

RECEIVED = datetime(2026, 11, 20, 9, 15, 4, tzinfo=UTC)
CLOSED = {
    "event_id": "0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11",
    "event_fqn": "CONVERSATION_CLOSED",
    "event_version": "1",
    "event_timestamp": "2026-11-20T09:15:02.114Z",
    "organization": {"id": "5b9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10", "name": "Nordlys Outdoor"},
    "data": {
        "conversation": {
            "csid": 48213,
            "channel": "WIDGET_CHAT",
            "status": "CLOSED",
            "direction": "INBOUND",
            "queue": {"id": "c2a7e1d4", "name": "Returns"},
            "contact_point": "help@nordlys.example",
            "requester": {"id": "b1d6a0c2", "name": "Ida Holm", "email": "ida@example.com", "user_type": "Contact"},
            "assignee": {"id": "7e3c2a10", "name": "Mads Lund", "email": "mads@nordlys.example"},
            "subject": "Wrong size",
            "tags": ["vip", {"id": "1", "name": "returns"}],
            "created_at": "2026-11-19T14:02:44.009Z",
        }
    },
}
CLOSE = Close(
    conversation_id=48213,
    closed_at=datetime(2026, 11, 20, 9, 15, 2, 114000, tzinfo=UTC),
    channel="WidgetChat",
    direction="Inbound",
    queue_id="c2a7e1d4",
    queue_name="Returns",
    contact_point="help@nordlys.example",
    requester_id="b1d6a0c2",
    user_type="Contact",
    email="ida@example.com",
    agent_id="7e3c2a10",
    tags=("vip", "returns"),
    event_id="0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11",
)


MALFORMED: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    " ",
    "\0",
    "\ud800",
    "\udfff\0",
    [],
    [[]],
    {},
    {"id": []},
    {"name": 1},
    [None],
)


def load(body: Any) -> Event:
    return load_event(json.dumps(body).encode(), RECEIVED)


def closed(*path: str, value: Any = ..., base: Any = CLOSED) -> Any:
    """Copy the example, with `value` at a path, or without that field."""
    body = copy.deepcopy(base)
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return body


def in_conversation(key: str, value: Any = ...) -> Any:
    return closed("data", "conversation", key, value=value)


class TestEvent:
    def test_a_close_is_parsed(self) -> None:
        assert load(CLOSED) == Event("0b0f3f0e-6f0c-4b52-9d0a-5a8f5a1c7d11", "CONVERSATION_CLOSED", CLOSE)

    def test_personal_data_is_not_kept(self) -> None:
        kept = repr(load(CLOSED))
        assert not [word for word in ("Ida", "Mads", "ida@", "mads@", "Wrong", "+45") if word in kept]

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("CONVERSATION_OPEN", ChangeKind.REOPENED),
            ("CONVERSATION_PENDING", ChangeKind.REOPENED),
            ("CONVERSATION_RATED", ChangeKind.RATED),
        ],
    )
    def test_a_change_is_parsed(self, name: str, kind: ChangeKind) -> None:
        event = load(CLOSED | {"event_fqn": name})
        assert (event.close, event.change) == (None, Change(48213, kind, CLOSE.closed_at))

    @pytest.mark.parametrize("name", ["ConversationClosed", "conversationClosed", "conversation_closed"])
    def test_event_names_in_the_spelling_of_subscriptions_are_accepted(self, name: str) -> None:
        assert load(CLOSED | {"event_fqn": name}) == replace(load(CLOSED), name=name)

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("ConversationOpen", ChangeKind.REOPENED),
            ("ConversationPending", ChangeKind.REOPENED),
            ("ConversationRated", ChangeKind.RATED),
        ],
    )
    def test_change_names_in_the_spelling_of_subscriptions_are_accepted(self, name: str, kind: ChangeKind) -> None:
        assert load(CLOSED | {"event_fqn": name}).change == Change(48213, kind, CLOSE.closed_at)

    @pytest.mark.parametrize("name", ["ConversationCloseds", "Closed", "ConversationClosed.v2", ""])
    def test_a_longer_event_name_is_not_a_close(self, name: str) -> None:
        assert load(CLOSED | {"event_fqn": name}).close is None

    def test_an_abandoned_conversation_is_a_close_without_agent(self) -> None:
        event = load(in_conversation("assignee", None) | {"event_fqn": "CONVERSATION_ABANDONED"})
        assert event.close == replace(CLOSE, agent_id=None)

    def test_other_events_need_only_a_name(self) -> None:
        assert load({"event_fqn": "CONVERSATION_OPEN"}) == Event("", "CONVERSATION_OPEN", None)
        assert load({"event_fqn": "CONVERSATION_OPEN", "data": {"conversation": {"csid": "x"}}}).change is None
        assert load({"event_fqn": "CONVERSATION_OPEN", "data": {"conversation": {}}}).change is None
        assert load({"event_fqn": "NEW", "data": {"conversation": "malformed"}}).close is None

    def test_a_close_needs_only_a_conversation_id(self) -> None:
        body = {"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {"csid": 1}}}
        assert load(body) == Event("", "CONVERSATION_CLOSED", Close(conversation_id=1, closed_at=RECEIVED, tags=None))

    @pytest.mark.parametrize(("csid", "read"), [(1, 1), (2**63 - 1, 2**63 - 1), ("48213", 48213), ("007", 7)])
    def test_a_conversation_id_may_be_text(self, csid: Any, read: int) -> None:
        close = load(in_conversation("csid", csid)).close
        assert close
        assert close.conversation_id == read

    @pytest.mark.parametrize(
        "csid",
        [
            None,
            0,
            -1,
            2**63,
            True,
            False,
            1.0,
            1.5,
            "",
            " 1",
            "1 ",
            "0",
            "-1",
            "1e3",
            "0x1",
            "\u0661",
            "9" * 19,
            [],
            {},
        ],
    )
    def test_a_bad_conversation_id_is_named(self, csid: Any) -> None:
        with pytest.raises(PayloadError, match=r"^body\.data\.conversation\.csid: "):
            load(in_conversation("csid", csid))

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
    def test_missing_fields_are_named(self, body: Any, named: str) -> None:
        with pytest.raises(PayloadError, match=rf"^body\.{named}: "):
            load(body)

    # An empty list of tags is valid.
    @pytest.mark.parametrize(
        ("key", "malformed"),
        [
            (key, malformed)
            for key in ("queue", "requester", "assignee", "channel", "direction", "tags")
            for malformed in MALFORMED
            if (key, malformed) != ("tags", [])
        ],
    )
    def test_a_malformed_optional_field_counts_as_missing(self, key: str, malformed: Any) -> None:
        assert load(in_conversation(key, malformed)) == load(in_conversation(key))

    @pytest.mark.parametrize("malformed", MALFORMED)
    @pytest.mark.parametrize("key", ["id", "name"])
    def test_a_malformed_field_of_a_queue_counts_as_missing(self, key: str, malformed: Any) -> None:
        base = in_conversation("queue", {"id": "q", "name": "Q"})
        path = ("data", "conversation", "queue", key)
        assert load(closed(*path, value=malformed, base=base)) == load(closed(*path, base=base))

    @pytest.mark.parametrize("key", ["event_id", "event_version", "organization", "event_timestamp"])
    @pytest.mark.parametrize("malformed", MALFORMED)
    def test_a_malformed_envelope_field_counts_as_missing(self, key: str, malformed: Any) -> None:
        assert load(closed(key, value=malformed)) == load(closed(key))

    def test_malformed_tags_are_skipped(self) -> None:
        close = load(in_conversation("tags", ["a", 1, None, {"id": "x"}, {"name": 2}, ["b"], "", {"name": "c"}])).close
        assert close
        assert close.tags == ("a", "c")

    def test_texts_are_cut_and_cleaned(self) -> None:
        event = load(closed("event_id", value="x" * 1000, base=in_conversation("tags", ["a\0b\ud83d", "n" * 500])))
        assert event.close
        assert event.id == "x" * 200
        assert event.close.tags == ("ab", "n" * 200)

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
    def test_the_time_of_receipt_replaces_a_malformed_or_future_event_time(self, sent: Any, read: datetime) -> None:
        close = load(closed("event_timestamp", value=sent)).close
        assert close
        assert close.closed_at == read
        assert close.closed_at.tzinfo is UTC

    def test_the_time_of_receipt_is_converted_to_utc(self) -> None:
        raw = json.dumps(closed("event_timestamp")).encode()
        close = load_event(raw, RECEIVED.astimezone(timezone(timedelta(hours=9)))).close
        assert close
        assert (close.closed_at, close.closed_at.tzinfo) == (RECEIVED, UTC)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff\xfe",
            b'\xef\xbb\xbf{"event_fqn": "X"}',
            b'{"event_fqn": "\xed\xa0\x80"}',
            b"null",
            b"5",
            b'"event_fqn"',
            b"[]",
            b'[{"event_fqn": "X"}]',
            b"{",
            b"{'event_fqn': 'X'}",
            b'{"event_fqn": "X"} {}',
            b'{"event_fqn": "X", "a": NaN}',
            b'{"event_fqn": "X", "a": -Infinity}',
            b'{"event_fqn": "X", "a": 1e999}',
            b'{"event_fqn": "X", "a": ' + b"9" * 5000 + b"}",
            b'{"event_fqn": "X", "a": ' + b"[" * 100_000,
            b'{"event_fqn": "X", "a": ' + b'{"a":' * 100_000,
            b'{"event_fqn": "X", "event_fqn": "Y"}',
            b'{"event_fqn": "X", "a": {"b": 1, "b": 1}}',
        ],
    )
    def test_invalid_json_is_refused(self, raw: bytes) -> None:
        with pytest.raises(PayloadError, match=r"^(The )?body"):
            load_event(raw, RECEIVED)

    def test_an_error_does_not_quote_the_body(self) -> None:
        for raw in (b'{"event_fqn": "ida@example.com"', b'{"event_fqn": ["ida@example.com"]}'):
            with pytest.raises(PayloadError) as caught:
                load_event(raw, RECEIVED)
            assert "ida" not in str(caught.value)


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


class TestResponses:
    CONVERSATION = {
        "id": 48213,
        "requesterId": "b1d6a0c2",
        "channel": "WidgetChat",
        "createdAt": "2026-11-19T14:02:44Z",
        "direction": "Inbound",
        "state": "Closed",
        "assignment": {"agentId": "7e3c2a10", "assignedAt": "2026-11-19T14:03:44Z"},
        "language": "da",
        "_type": "ChatConversation",
    }
    RATING = {"id": "r1", "ratingType": "Csat", "ratingStatus": "Offered", "userId": "u", "timestamps": {}}

    def test_a_conversation_is_parsed(self) -> None:
        assert schemas.load_conversation({"data": self.CONVERSATION}) == Conversation(
            id=48213,
            channel="WidgetChat",
            requester_id="b1d6a0c2",
            state="Closed",
            direction="Inbound",
            language="da",
            agent_id="7e3c2a10",
            is_erased=False,
        )

    def test_a_conversation_needs_only_its_ids(self) -> None:
        body = {"data": {"id": 1, "requesterId": "u", "channel": 5, "assignment": [], "language": {}, "_type": None}}
        assert schemas.load_conversation(body) == Conversation(id=1, channel="", requester_id="u")

    @pytest.mark.parametrize("erased", [{"_type": "AnonymizedConversation"}, {"anonymizedAt": "2026-11-20T00:00:00Z"}])
    def test_an_anonymised_conversation_is_erased(self, erased: dict[str, str]) -> None:
        assert schemas.load_conversation({"data": {**self.CONVERSATION, **erased}}).is_erased

    def test_ratings_are_parsed(self) -> None:
        rated = {**self.RATING, "ratingType": "Nps", "ratingStatus": "Rated"}
        assert schemas.load_ratings({"data": [self.RATING, rated], "meta": {}}) == (
            Rating("r1", "Csat", "Offered"),
            Rating("r1", "Nps", "Rated"),
        )
        assert schemas.load_ratings({"data": []}) == ()

    @pytest.mark.parametrize("key", ["id", "ratingType", "ratingStatus"])
    @pytest.mark.parametrize("malformed", [None, "", 5, [], "x" * 201, "a\0", "\ud800"])
    def test_one_malformed_rating_makes_the_list_fail(self, key: str, malformed: Any) -> None:
        with pytest.raises(PayloadError, match=key):
            schemas.load_ratings({"data": [self.RATING, {**self.RATING, key: malformed}]})

    def test_messages_are_parsed(self) -> None:
        body = {"data": [{"id": "m1", "externalId": "13244"}, {"id": "m2"}, {"id": "m3", "externalId": 5}]}
        assert schemas.load_messages(body) == (Message("m1", "13244"), Message("m2", None), Message("m3", None))

    def test_the_id_of_an_offer_is_parsed(self) -> None:
        assert schemas.load_offer_id({"data": {"id": "r1", "userId": "u", "ratingType": "Csat"}}) == "r1"

    def test_the_name_of_the_organization_is_parsed(self) -> None:
        assert schemas.load_organization_name({"data": {"id": "o", "name": "Nordlys Outdoor"}}) == "Nordlys Outdoor"

    @pytest.mark.parametrize(
        "read",
        [
            schemas.load_conversation,
            schemas.load_ratings,
            schemas.load_messages,
            schemas.load_offer_id,
            schemas.load_organization_name,
        ],
    )
    @pytest.mark.parametrize(
        "body", [None, 5, "x", [], {}, {"message": "no"}, {"data": None}, {"data": 5}, {"data": [5]}, {"data": [{}]}]
    )
    def test_a_response_of_another_shape_is_refused(self, read: Any, body: Any) -> None:
        with pytest.raises(PayloadError, match=r"^body"):
            read(body)


class TestBodies:
    AT = datetime(2026, 11, 20, 10, 15, 2, 114999, tzinfo=timezone(timedelta(hours=1)))

    def test_the_body_of_an_offer(self) -> None:
        offer = schemas.dump_offer(RatingType.CSAT, user_id="u", agent_id="a", offered_at=self.AT)
        assert json.dumps(offer) == (
            '{"ratingType": "Csat", "userId": "u", "agentId": "a", "offeredAt": "2026-11-20T09:15:02.114Z"}'
        )

    def test_the_body_of_an_offer_without_agent(self) -> None:
        assert "agentId" not in schemas.dump_offer(RatingType.NPS, user_id="u", agent_id=None, offered_at=self.AT)

    def test_the_body_of_a_result(self) -> None:
        result = schemas.dump_result(RatingType.THUMBS, score=0, comment="Tak", submitted_at=self.AT)
        assert json.dumps(result) == (
            '{"ratingResult": {"_type": "ThumbsUpOrDown", "value": 0}, "comment": "Tak", '
            '"submittedAt": "2026-11-20T09:15:02.114Z"}'
        )

    def test_the_body_of_a_result_without_comment(self) -> None:
        assert "comment" not in schemas.dump_result(RatingType.CSAT, score=5, comment="", submitted_at=self.AT)

    def test_the_body_of_a_message(self) -> None:
        assert schemas.dump_message("a", "<p>Hej</p>", external_id="s1", kind="Html") == {
            "_type": "Outbound",
            "agentId": "a",
            "content": {"_type": "Html", "value": "<p>Hej</p>"},
            "externalId": "s1",
        }
