"""Responses of Dixa's API are parsed, and the bodies of requests are built."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from service.dixa import schemas
from service.dixa.payloads import PayloadError
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.ratings import RatingType

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


def test_a_conversation_is_parsed() -> None:
    assert schemas.load_conversation({"data": CONVERSATION}) == Conversation(
        id=48213,
        channel="WidgetChat",
        requester_id="b1d6a0c2",
        state="Closed",
        direction="Inbound",
        language="da",
        agent_id="7e3c2a10",
        is_erased=False,
    )


def test_a_conversation_needs_only_its_ids() -> None:
    body = {"data": {"id": 1, "requesterId": "u", "channel": 5, "assignment": [], "language": {}, "_type": None}}
    assert schemas.load_conversation(body) == Conversation(id=1, channel="", requester_id="u")


@pytest.mark.parametrize("erased", [{"_type": "AnonymizedConversation"}, {"anonymizedAt": "2026-11-20T00:00:00Z"}])
def test_an_anonymised_conversation_is_erased(erased: dict[str, str]) -> None:
    assert schemas.load_conversation({"data": {**CONVERSATION, **erased}}).is_erased


def test_ratings_are_parsed() -> None:
    rated = {**RATING, "ratingType": "Nps", "ratingStatus": "Rated"}
    assert schemas.load_ratings({"data": [RATING, rated], "meta": {}}) == (
        Rating("r1", "Csat", "Offered"),
        Rating("r1", "Nps", "Rated"),
    )
    assert schemas.load_ratings({"data": []}) == ()


@pytest.mark.parametrize("key", ["id", "ratingType", "ratingStatus"])
@pytest.mark.parametrize("malformed", [None, "", 5, [], "x" * 201, "a\0", "\ud800"])
def test_one_malformed_rating_makes_the_list_fail(key: str, malformed: Any) -> None:
    with pytest.raises(PayloadError, match=key):
        schemas.load_ratings({"data": [RATING, {**RATING, key: malformed}]})


def test_messages_are_parsed() -> None:
    body = {"data": [{"id": "m1", "externalId": "13244"}, {"id": "m2"}, {"id": "m3", "externalId": 5}]}
    assert schemas.load_messages(body) == (Message("m1", "13244"), Message("m2", None), Message("m3", None))


def test_the_id_of_an_offer_is_parsed() -> None:
    assert schemas.load_offer_id({"data": {"id": "r1", "userId": "u", "ratingType": "Csat"}}) == "r1"


def test_the_name_of_the_organization_is_parsed() -> None:
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
def test_a_response_of_another_shape_is_refused(read: Any, body: Any) -> None:
    with pytest.raises(PayloadError, match=r"^body"):
        read(body)


AT = datetime(2026, 11, 20, 10, 15, 2, 114999, tzinfo=timezone(timedelta(hours=1)))


def test_body_of_an_offer_is_as_documented() -> None:
    offer = schemas.dump_offer(RatingType.CSAT, user_id="u", agent_id="a", offered_at=AT)
    assert json.dumps(offer) == (
        '{"ratingType": "Csat", "userId": "u", "agentId": "a", "offeredAt": "2026-11-20T09:15:02.114Z"}'
    )


def test_body_of_an_offer_without_agent_has_no_agent_id() -> None:
    assert "agentId" not in schemas.dump_offer(RatingType.NPS, user_id="u", agent_id=None, offered_at=AT)


def test_body_of_a_result_is_as_documented() -> None:
    result = schemas.dump_result(RatingType.THUMBS, score=0, comment="Tak", submitted_at=AT)
    assert json.dumps(result) == (
        '{"ratingResult": {"_type": "ThumbsUpOrDown", "value": 0}, "comment": "Tak", '
        '"submittedAt": "2026-11-20T09:15:02.114Z"}'
    )


def test_body_of_a_result_without_comment_has_no_comment() -> None:
    assert "comment" not in schemas.dump_result(RatingType.CSAT, score=5, comment="", submitted_at=AT)


def test_body_of_a_message_is_as_documented() -> None:
    assert schemas.dump_message("a", "<p>Hej</p>", external_id="s1", kind="Html") == {
        "_type": "Outbound",
        "agentId": "a",
        "content": {"_type": "Html", "value": "<p>Hej</p>"},
        "externalId": "s1",
    }
