"""Every exchange of these tests is checked against Dixa's description (`is_as_described`). This tests the check."""

import json
from dataclasses import replace

import pytest

from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from tests.integration.conftest import Teller
from tests.integration.exchanges import Exchanges, is_ours
from tests.openapi import MISSING, Description

OURS = {"conversation", "ratings", "offer", "message", "submit"}


@pytest.fixture
def description() -> Description:
    found = Description.load()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def offer(tell: Teller, dixa: Sandbox) -> Exchange:
    """An offer made by our client."""
    story = tell().close()
    story.answer(rating="4", comment="Fint")
    story.submitted()
    return next(each for each in reversed(dixa.calls) if each.call == "offer" and is_ours(each) and each.status == 201)


def changed(raw: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(raw) | fields).encode()


def test_what_our_client_says_is_checked(description: Description, offer: Exchange, exchanges: Exchanges) -> None:
    exchanges.check()
    assert exchanges.calls >= OURS


def test_an_offer_names_its_customer_and_its_agent(offer: Exchange) -> None:
    """Both are optional in the description. An older page of Dixa's requires them."""
    assert set(offer.request_json) == {"ratingType", "userId", "agentId", "offeredAt"}


@pytest.mark.parametrize(
    "crooked",
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
def test_an_exchange_that_is_not_as_described_fails(description: Description, offer: Exchange, crooked: object) -> None:
    exchanges = Exchanges(description)
    exchanges.add(offer)
    exchanges.check()
    exchanges.add(crooked(offer))  # type: ignore[operator]
    with pytest.raises(AssertionError):
        exchanges.check()


def test_an_exchange_is_checked_once_by_its_shape(description: Description, offer: Exchange) -> None:
    exchanges = Exchanges(description)
    exchanges.add(offer)
    exchanges.check()
    exchanges.add(replace(offer, body=changed(offer.body, userId="someone-else")))
    assert exchanges._new == []
    exchanges.add(replace(offer, body=changed(offer.body, ratingType="Nps")))
    assert len(exchanges._new) == 1
