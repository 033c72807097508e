"""The check against Dixa's description notices differences."""

import json
from dataclasses import replace

import pytest

from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from tests.openapi import Description
from tests.sandbox.conftest import Client


def _last(dixa: Sandbox) -> Exchange:
    return dixa.calls[-1]


def test_check_finds_a_wrong_response(dixa: Sandbox, client: Client, description: Description) -> None:
    number = dixa.make_conversation(language="en")
    client.get(f"/conversations/{number}")
    good = _last(dixa)
    description.check(good)
    data = good.response_json["data"]
    for spoilt in (
        {name: value for name, value in data.items() if name != "_type"},
        {name: value for name, value in data.items() if name != "fromEmail"},
        data | {"_type": "ChatMessage"},
        data | {"requesterId": "ida"},
        data | {"createdAt": "today"},
        data | {"id": "48201"},
    ):
        with pytest.raises(AssertionError, match="response of GET /beta/conversations/"):
            description.check(replace(good, response=json.dumps({"data": spoilt}).encode()))
    for status in (201, 204, 302, 404):
        with pytest.raises(AssertionError):
            description.check(replace(good, status=status))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ratingResult": {"value": 4}},
        {"ratingResult": {"_type": "Csat", "value": "4"}},
        {"ratingResult": {"_type": "Csat", "value": 6}},
        {"ratingResult": {"_type": "Stars", "value": 4}},
        {"ratingResult": {"_type": "Csat", "value": 4}, "comment": None},
        {"ratingResult": {"_type": "Csat", "value": 4}, "submittedAt": "now"},
    ],
)
def test_check_finds_a_wrong_request(dixa: Sandbox, client: Client, description: Description, body: object) -> None:
    number = dixa.make_conversation()
    client.submit(number, client.offered(number))
    good = _last(dixa)
    description.check(good)
    with pytest.raises(AssertionError, match="request of POST"):
        description.check(replace(good, body=json.dumps(body).encode()))
    with pytest.raises(AssertionError, match="request of POST"):
        description.check(replace(good, headers={"Content-Type": "text/plain"}))
    with pytest.raises(AssertionError, match="request of POST"):
        description.check(replace(good, path=good.path.replace("submit", "send")))


def test_only_the_response_of_a_refused_request_is_checked(
    dixa: Sandbox, client: Client, description: Description
) -> None:
    number = dixa.make_conversation()
    client.post(f"/conversations/{number}/ratings/offer", {})
    refused = _last(dixa)
    description.check(refused)
    with pytest.raises(AssertionError):
        description.check_request(refused)
    with pytest.raises(AssertionError):
        description.check(replace(refused, response=b"{}"))


def test_times_of_messages_have_their_zone(dixa: Sandbox, client: Client, description: Description) -> None:
    number = dixa.make_conversation()
    client.post(f"/conversations/{number}/notes", {"message": "x"})
    good = _last(dixa)
    description.check(good)
    with pytest.raises(AssertionError):
        description.check(replace(good, response=good.response.replace(b"[GMT]", b"")))


def test_both_versions_have_the_same_calls(dixa: Sandbox, description: Description) -> None:
    Client(dixa, "v1").get(f"/conversations/{dixa.make_conversation()}")
    assert _last(dixa).path.startswith("/v1/")
    description.check(_last(dixa))
