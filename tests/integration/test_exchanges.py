"""Tests of `matches_description`, which checks every exchange of this folder against Dixa's description."""

import json
from dataclasses import replace

import pytest

from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from tests.integration.conftest import NewSurvey
from tests.integration.exchanges import Exchanges, is_from_afterword
from tests.openapi import MISSING, Description

REQUIRED_CALLS = {"conversation", "ratings", "offer", "message", "submit"}


@pytest.fixture
def description() -> Description:
    found = Description.load()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def offer(new_survey: NewSurvey, dixa: Sandbox) -> Exchange:
    """Return an offer made by Afterword's client."""
    story = new_survey().close()
    story.answer(rating="4", comment="Fint")
    story.submitted()
    return next(
        each for each in reversed(dixa.calls) if each.call == "offer" and is_from_afterword(each) and each.status == 201
    )


def changed(raw: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(raw) | fields).encode()


def test_calls_of_the_client_are_checked(description: Description, offer: Exchange, exchanges: Exchanges) -> None:
    exchanges.check()
    assert exchanges.calls >= REQUIRED_CALLS


def test_offer_has_requester_and_agent(offer: Exchange) -> None:
    """Both are optional in the description, but required by an older page of Dixa's documentation."""
    assert set(offer.request_json) == {"ratingType", "userId", "agentId", "offeredAt"}


@pytest.mark.parametrize(
    "change",
    [
        lambda offer: replace(offer, body=changed(offer.body, userId=7)),
        lambda offer: replace(offer, body=changed(offer.body, offeredAt=1)),
        lambda offer: replace(offer, body=b"{}"),
        lambda offer: replace(offer, body=b"{}", status=503, response=b'{"message": "busy"}'),
        lambda offer: replace(offer, response=b'{"data": {"id": "no more"}}'),
        lambda offer: replace(offer, status=202),
        lambda offer: replace(offer, path=offer.path + "/twice"),
    ],
)
def test_check_finds_a_wrong_exchange(description: Description, offer: Exchange, change: object) -> None:
    exchanges = Exchanges(description)
    exchanges.add(offer)
    exchanges.check()
    exchanges.add(change(offer))  # type: ignore[operator]
    with pytest.raises(AssertionError):
        exchanges.check()


def test_exchanges_of_the_same_shape_are_checked_once(description: Description, offer: Exchange) -> None:
    exchanges = Exchanges(description)
    exchanges.add(offer)
    exchanges.check()
    exchanges.add(replace(offer, body=changed(offer.body, userId="someone-else")))
    assert exchanges._new == []
    exchanges.add(replace(offer, body=changed(offer.body, ratingType="Nps")))
    assert len(exchanges._new) == 1
