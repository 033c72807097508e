"""The receiver of the team gets the signed link, with the same id in each attempt."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.endpoints import SignedEndpoint
from service.delivery.outbound import Outbound
from service.delivery.webhook import WebhookDelivery
from service.surveys.errors import (
    CallError,
    ChannelDown,
    DeliveryRefused,
    DeliveryUnknown,
    NotDelivered,
    NotNow,
    Unconfirmable,
)
from service.surveys.model import Close, Offer, OfferProgress, Record
from service.surveys.ports import Deadline
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from tests.dixa.raw import RawServer
from tests.harness import AT_ONCE
from tests.polling import soon
from tests.processes import free_port
from tests.receiver import DROP, SECRET, Receiver, receiving

LINK = "https://survey.example/s/token"
NOW = datetime.now(UTC)
CLOSE = Close(48213, NOW, channel="PstnPhone", requester_id="requester", agent_id="agent", email="ida@example.com")
RECORD = Record(
    "48213",
    48213,
    NOW,
    CLOSE,
    AT_ONCE,
    OfferProgress(OfferState.OFFERED, language="da"),
    (Offer(RatingType.CSAT, "rating"),),
)

DRIPS = {
    "a status line": [b"HTTP/1.1 200 ", *[b"O"] * 100],
    "headers": [b"HTTP/1.1 200 OK\r\n", *[b"X-A: n\r\n"] * 80, b"\r\n"],
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def deliver(url: str, record: Record = RECORD, seconds: float = 5.0) -> None:
    delivery = WebhookDelivery(SignedEndpoint(url, SECRET), "de")
    delivery.deliver(record, LINK, Deadline(timedelta(seconds=seconds)))


def test_the_link_is_posted_with_all_facts(receiver: Receiver) -> None:
    deliver(f"{receiver.url}/links?team=1")
    (post,) = receiver.posts
    assert (post.path, post.id) == ("/links?team=1", "afterword-48213-link")
    assert post.headers["content-type"] == "application/json"
    assert post.body["type"] == "survey.link"
    assert post.body["data"] == {
        "survey_id": "48213",
        "survey": "default",
        "conversation_id": 48213,
        "channel": "PstnPhone",
        "queue_id": None,
        "requester_id": "requester",
        "agent_id": "agent",
        "closed_at": NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ratings": {"Csat": "rating"},
        "link": LINK,
        "language": "da",
    }


def test_the_link_is_posted_without_close_and_terms(receiver: Receiver) -> None:
    deliver(receiver.url, replace(RECORD, close=None, terms=None))
    data = receiver.posts[0].body["data"]
    unknown = ("survey", "channel", "queue_id", "requester_id", "agent_id", "closed_at")
    assert {name: data[name] for name in unknown} == dict.fromkeys(unknown)
    assert (data["survey_id"], data["conversation_id"], data["link"]) == ("48213", 48213, LINK)


def test_without_a_language_the_default_is_sent(receiver: Receiver) -> None:
    deliver(receiver.url, replace(RECORD, offer=OfferProgress(OfferState.OFFERED)))
    assert receiver.posts[0].body["data"]["language"] == "de"


def test_another_secret_does_not_verify(receiver: Receiver) -> None:
    deliver(receiver.url)
    (post,) = receiver.posts
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_bm90IHRoZSBrZXkgb2YgdGhlIHRlc3RzIGF0IGFsbCE=").verify(b"{}", post.headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_a_success(receiver: Receiver, status: int) -> None:
    receiver.next["/"] = [status]
    deliver(f"{receiver.url}/")


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_4xx_is_a_refusal(receiver: Receiver, status: int) -> None:
    receiver.next["/"] = [status]
    with pytest.raises(DeliveryRefused) as caught:
        deliver(f"{receiver.url}/")
    assert str(caught.value) == f"the receiver returned {status}"


@pytest.mark.parametrize("status", [408, 429, 503])
def test_temporary_statuses_are_not_delivered(receiver: Receiver, status: int) -> None:
    receiver.next["/"] = [status]
    with pytest.raises(NotDelivered):
        deliver(f"{receiver.url}/")
    assert [post.path for post in receiver.posts] == ["/"]


@pytest.mark.parametrize("status", [301, 302, 401, 402, 403, 404, 405, 407, 410, 415, 421, 426])
def test_statuses_about_our_settings_mean_channel_down(receiver: Receiver, status: int) -> None:
    """An operator can repair the URL, the key or the proxy."""
    receiver.next["/"] = [status]
    with pytest.raises(ChannelDown) as caught:
        deliver(f"{receiver.url}/")
    assert str(caught.value) == f"the receiver returned {status}"
    assert [post.path for post in receiver.posts] == ["/"]


@pytest.mark.parametrize("status", [500, 502, 504, DROP])
def test_after_5xx_the_outcome_is_unknown(receiver: Receiver, status: int) -> None:
    receiver.next["/"] = [status]
    with pytest.raises(DeliveryUnknown):
        deliver(f"{receiver.url}/")
    assert [post.path for post in receiver.posts] == ["/"]


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_failed_retry_never_counts_as_not_delivered(receiver: Receiver, status: int) -> None:
    """Another channel would send the link a second time."""
    receiver.next["/"] = [status]
    with pytest.raises(DeliveryUnknown):
        deliver(f"{receiver.url}/", replace(RECORD, offer=OfferProgress(OfferState.DELIVERING)))


@pytest.mark.parametrize("status", [400, 409])
def test_a_refused_retry_is_unconfirmable(receiver: Receiver, status: int) -> None:
    receiver.next["/"] = [status]
    with pytest.raises(Unconfirmable):
        deliver(f"{receiver.url}/", replace(RECORD, offer=OfferProgress(OfferState.DELIVERING)))


def test_a_refused_connection_is_not_delivered_and_hides_the_url() -> None:
    url = f"http://127.0.0.1:{free_port()}/hook/secret"
    with pytest.raises(NotDelivered) as caught:
        deliver(url)
    assert "secret" not in str(caught.value)


def test_a_silent_receiver_is_cut_off_at_the_deadline(receiver: Receiver) -> None:
    receiver.held.clear()
    with pytest.raises(DeliveryUnknown):
        deliver(receiver.url, seconds=0.3)


@pytest.mark.parametrize("drip", DRIPS)
def test_a_slow_receiver_is_cut_off_at_the_deadline(drip: str) -> None:
    """Each byte arrives within the timeout of a single read."""
    with RawServer(DRIPS[drip], pause=0.1) as server:

        def attempt() -> None:
            with pytest.raises(DeliveryUnknown):
                deliver(server.url, seconds=0.5)

        soon(attempt, within=3)


def test_the_body_of_a_redirect_is_not_read() -> None:
    dripping = RawServer([b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", *[b" "] * 100], pause=0.1)
    with dripping, pytest.raises(NotDelivered):
        deliver(dripping.url, seconds=0.5)


def test_nothing_is_sent_without_time_left(receiver: Receiver) -> None:
    with pytest.raises(NotNow):
        deliver(receiver.url, seconds=0)
    assert receiver.posts == []


def test_a_lost_response_differs_from_a_refused_connection(receiver: Receiver) -> None:
    receiver.next["/"] = [DROP]
    for url, kind in ((f"{receiver.url}/", DeliveryUnknown), (f"http://127.0.0.1:{free_port()}/", ChannelDown)):
        with pytest.raises(CallError) as caught:
            Outbound(url).post(b"{}", {}, Deadline(timedelta(seconds=5)))
        assert type(caught.value) is kind


def test_the_repr_of_an_endpoint_hides_url_and_secret() -> None:
    assert repr(SignedEndpoint("https://sender.example/token", SECRET)) == "SignedEndpoint()"


@pytest.mark.parametrize("changes", [{"close": None}, {"close": replace(CLOSE, requester_id=None)}])
def test_a_customer_without_an_id_cannot_be_reached(changes: dict[str, None]) -> None:
    delivery = WebhookDelivery(SignedEndpoint("https://sender.example", SECRET), "en")
    assert delivery.can_reach(RECORD)
    assert not delivery.can_reach(replace(RECORD, **changes))  # type: ignore[arg-type]
