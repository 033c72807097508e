"""The sandbox's responses match Dixa's documentation: statuses, bodies and refusals."""

from http.client import HTTPConnection
from uuid import uuid4

import pytest
import requests

from service.sandbox.dixa.model import Link
from service.sandbox.server import Sandbox
from tests.openapi import Description
from tests.sandbox.conftest import Client

KINDS = {
    "WidgetChat": "ChatConversation",
    "ContactForm": "ContactFormConversation",
    "Email": "EmailConversation",
    "FacebookMessenger": "FacebookMessengerConversation",
    "Messenger": "MessengerConversation",
    "PstnPhone": "PstnPhoneConversation",
    "Sms": "SmsConversation",
    "Twitter": "TwitterConversation",
    "WhatsApp": "WhatsAppConversation",
    "Voicemail": "GenericConversation",
}
TAKES_MESSAGES = ("WidgetChat", "Messenger", "ContactForm", "Email", "Sms", "WhatsApp")
AGENT = str(uuid4())


@pytest.fixture
def dixa(sandbox: Sandbox) -> Sandbox:
    """Return one sandbox for all tests of this module: a start costs more than most of them."""
    sandbox.reset()
    sandbox.on_exchange.clear()
    return sandbox


@pytest.mark.parametrize("version", ["beta", "v1"])
@pytest.mark.parametrize("channel", KINDS)
def test_every_call_on_every_channel_matches_the_description(
    dixa: Sandbox, description: Description, channel: str, version: str
) -> None:
    client = Client(dixa, version)
    tag = dixa.state.tag("vip")
    number = dixa.make_conversation(channel=channel, language="da", tags=["press"], link=Link("FollowUp", 48000))
    one = f"/conversations/{number}"
    statuses = [
        client.get("/organization").status_code,
        client.get("/tags").status_code,
        client.get(one).status_code,
        client.submit(number, client.offered(number), comment="Tak").status_code,
        client.post(f"{one}/notes", {"message": "Called back", "agentId": AGENT}).status_code,
        client.put(f"{one}/tags/{tag.id}").status_code,
        client.put(f"{one}/close", {"userId": AGENT}).status_code,
    ]
    assert statuses == [200, 200, 200, 201, 200, 204, 204]
    client.post(f"{one}/messages", _outbound("Hello", channel))
    dixa.erase(number)
    for path in ("", "/ratings", "/messages", "/notes", "/tags"):
        assert client.get(one + path).status_code == 200
    assert client.get(one).json()["data"]["_type"] == "AnonymizedConversation"
    for exchange in dixa.calls:
        description.check(exchange)


def _outbound(text: str, channel: str = "Email", **fields: object) -> dict[str, object]:
    content = {"_type": "Markdown" if channel == "WhatsApp" else "Text", "value": text}
    return {"_type": "Outbound", "agentId": AGENT, "content": content, **fields}


@pytest.mark.parametrize(("channel", "kind"), KINDS.items())
def test_a_conversation_has_the_type_of_its_channel(dixa: Sandbox, client: Client, channel: str, kind: str) -> None:
    data = client.get(f"/conversations/{dixa.make_conversation(channel=channel, language='ja')}").json()["data"]
    assert (data["_type"], data["channel"]) == (kind, channel)
    assert ("language" in data) == (channel in {"WidgetChat", "ContactForm", "Email", "Messenger"})


def test_an_offer_fills_in_the_requester_and_the_agent(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    data = client.offer(number).json()["data"]
    conversation = dixa.conversation(number)
    assert conversation.agent
    assert (data["userId"], data["agentId"]) == (conversation.requester.id, conversation.agent.id)
    assert [offer.id for offer in dixa.offers(number)] == [data["id"]]


def test_the_list_shows_an_offer_without_language_and_then_its_result(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation(language="da")
    rating_id = client.offered(number, "Nps")
    [shown] = client.get(f"/conversations/{number}/ratings").json()["data"]
    assert (shown["id"], shown["ratingStatus"], shown["ratingType"]) == (rating_id, "Offered", "Nps")
    assert "language" not in shown
    client.submit(number, rating_id, 0, "Nps", comment="Nej")
    [shown] = client.get(f"/conversations/{number}/ratings").json()["data"]
    assert (shown["ratingStatus"], shown["ratingScore"], shown["ratingComment"]) == ("Rated", 0, "Nej")
    assert "rated_at" in shown["timestamps"]


def test_a_builtin_survey_shows_with_its_language(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    dixa.make_rating(number, status="Scheduled")
    [shown] = client.get(f"/conversations/{number}/ratings").json()["data"]
    assert (shown["ratingStatus"], shown["language"]) == ("Scheduled", "en")
    assert dixa.offers(number) == []


def test_the_list_can_lag(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    rating_id = client.offered(number)
    dixa.state.listing_lag = 60
    assert client.get(f"/conversations/{number}/ratings").json()["data"] == []
    dixa.offers(number)[0].created_at = dixa.conversation(number).created_at.replace(year=2020)
    client.submit(number, rating_id)
    assert client.get(f"/conversations/{number}/ratings").json()["data"][0]["ratingStatus"] == "Offered"


def test_a_second_offer_succeeds_and_is_reported(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    first, other = client.offered(number), client.offered(number, "Nps")
    assert dixa.report.second_offers == []
    second = client.offered(number)
    assert dixa.report.second_offers == [second]
    assert len({first, other, second}) == 3


def test_a_second_submit_is_refused_and_reported(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    rating_id = client.offered(number)
    assert client.submit(number, rating_id, 5).status_code == 201
    assert client.submit(number, rating_id, 1).status_code == 400
    assert [result.value for result in dixa.results(number)] == [5]
    assert dixa.report.double_submits == [rating_id]


@pytest.mark.parametrize(("kind", "good", "bad"), [("Csat", (1, 5), (0, 6)), ("Nps", (0, 10), (-1, 11))])
def test_a_score_out_of_range_is_refused(
    dixa: Sandbox, client: Client, kind: str, good: tuple[int, ...], bad: tuple[int, ...]
) -> None:
    for value in good:
        number = dixa.make_conversation()
        assert client.submit(number, client.offered(number, kind), value, kind).status_code == 201
    for value in bad:
        number = dixa.make_conversation()
        assert client.submit(number, client.offered(number, kind), value, kind).status_code == 400


@pytest.mark.parametrize(
    ("value", "kind"), [(2, "ThumbsUpOrDown"), (1, "Csat"), (True, "ThumbsUpOrDown"), ("1", "ThumbsUpOrDown"), (1, "X")]
)
def test_a_result_must_fit_its_offer(dixa: Sandbox, client: Client, value: object, kind: str) -> None:
    number = dixa.make_conversation()
    assert client.submit(number, client.offered(number, "ThumbsUpOrDown"), value, kind).status_code == 400
    assert dixa.results() == []


def test_a_result_needs_a_known_rating_of_that_conversation(dixa: Sandbox, client: Client) -> None:
    number, other = dixa.make_conversation(), dixa.make_conversation()
    rating_id = client.offered(other)
    assert client.submit(number, rating_id).status_code == 400
    assert client.submit(number, str(uuid4())).status_code == 400
    assert client.submit(1, rating_id).status_code == 400
    builtin = dixa.make_rating(number)
    assert client.submit(number, builtin).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"ratingType": "Stars"},
        {"ratingType": 1},
        {"ratingType": "Csat", "agentId": 7},
        {"ratingType": "Csat", "userId": {}},
        {"ratingType": "Csat", "offeredAt": "yesterday"},
        {"ratingType": "Csat", "offeredAt": "2024-03-11T16:39:30"},
        {"ratingType": "Csat", "offeredAt": "2024-13-11T16:39:30Z"},
        {"ratingType": "Csat", "offeredAt": "2024-W11-1T16:39:30Z"},
    ],
)
def test_a_malformed_offer_is_refused(dixa: Sandbox, client: Client, body: object) -> None:
    number = dixa.make_conversation()
    refused = client.post(f"/conversations/{number}/ratings/offer", body)
    assert (refused.status_code, list(refused.json())) == (400, ["message"])
    assert (dixa.offers(), dixa.report.rejections) == ([], 1)


def test_a_body_that_is_not_json_is_refused(dixa: Sandbox, client: Client) -> None:
    path = f"/conversations/{dixa.make_conversation()}/ratings/offer"
    assert client.post(path, data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert client.post(path, data=b'{"ratingType": "Csat"}', headers={"Content-Type": "text/plain"}).status_code == 400
    assert dixa.offers() == []


@pytest.mark.parametrize("number", ["abc", "1.5", "9223372036854775808", "%20", "12345678901234567890123"])
def test_an_id_that_is_no_number_is_a_400(client: Client, number: str) -> None:
    assert client.get(f"/conversations/{number}").status_code == 400


def test_an_unknown_conversation_is_a_404(client: Client) -> None:
    for path in ("", "/ratings", "/messages", "/notes", "/tags"):
        assert client.get(f"/conversations/7{path}").status_code == 404
    assert client.offer(7).status_code == 404
    assert client.put("/conversations/7/close").status_code == 404


def test_an_unknown_path_or_method_is_json_too(dixa: Sandbox, client: Client) -> None:
    assert client.get("/nothing").json()["message"]
    assert client.put("/organization").status_code == 405
    assert requests.get(f"{dixa.url}/beta", timeout=30).status_code == 404


@pytest.mark.parametrize(
    "token", [None, "", "wrong", "Bearer sandbox-token", "sandbox-token2", "Basic x", "t\u00f8ken"]
)
def test_only_the_raw_token_is_accepted(dixa: Sandbox, client: Client, token: str | None) -> None:
    client.session.headers["Authorization"] = token.encode() if token else token  # type: ignore[assignment]
    refused = client.get("/organization")
    assert (refused.status_code, list(refused.json())) == (401, ["message"])
    assert "Authorization" not in dixa.calls[-1].headers


@pytest.mark.parametrize("channel", KINDS)
def test_a_message_is_accepted_by_message_channels_only(dixa: Sandbox, client: Client, channel: str) -> None:
    number = dixa.make_conversation(channel=channel)
    response = client.post(f"/conversations/{number}/messages", _outbound("Hello", channel, externalId="a-1"))
    if channel not in TAKES_MESSAGES:
        assert (response.status_code, response.json()["message"]) == (400, "Unsupported ConversationChannel")
        return
    assert response.status_code == 200
    assert not response.json()["data"]["createdAt"].endswith("]")
    [shown] = client.get(f"/conversations/{number}/messages").json()["data"]
    assert (shown["externalId"], shown["id"]) == ("a-1", response.json()["data"]["messageId"])
    assert shown["createdAt"].endswith("Z[GMT]")


def test_a_message_with_a_used_external_id_is_refused(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation()
    path = f"/conversations/{number}/messages"
    statuses = [client.post(path, _outbound("Hi", externalId="a-1")).status_code for _ in range(2)]
    assert (statuses, len(dixa.messages(number))) == ([200, 400], 1)
    assert dixa.report.duplicate_messages == ["a-1"]


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        ("Email", {"_type": "Outbound", "content": {"_type": "Text", "value": "x"}}),
        ("Email", _outbound("x") | {"agentId": "me"}),
        ("Email", _outbound("x") | {"_type": "Sideways"}),
        ("Email", _outbound("x") | {"content": {"_type": "Rtf", "value": "x"}}),
        ("Email", _outbound("x") | {"content": "x"}),
        ("Email", {"_type": "Outbound", "agentId": AGENT}),
        ("Email", _outbound("")),
        ("WhatsApp", _outbound("x", "Email")),
        ("Sms", {"_type": "Inbound", "content": {"_type": "Text", "value": "x"}}),
    ],
)
def test_a_malformed_message_is_refused(dixa: Sandbox, client: Client, channel: str, body: object) -> None:
    number = dixa.make_conversation(channel=channel)
    assert client.post(f"/conversations/{number}/messages", body).status_code == 400
    assert dixa.messages() == []


def test_whatsapp_accepts_an_attachment_without_text(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation(channel="WhatsApp")
    body = {"_type": "Outbound", "agentId": AGENT, "attachments": [{"url": "https://files.example/a.jpg"}]}
    assert client.post(f"/conversations/{number}/messages", body).status_code == 200


def test_a_message_reopens_a_closed_conversation_only_if_configured(dixa: Sandbox, client: Client) -> None:
    number = dixa.make_conversation(state="Closed")
    client.post(f"/conversations/{number}/messages", _outbound("Hi"))
    assert dixa.conversation(number).state == "Closed"
    dixa.state.message_reopens = True
    client.post(f"/conversations/{number}/messages", _outbound("Hi again"))
    assert dixa.conversation(number).state == "Open"


def test_a_reset_restores_the_behaviour(dixa: Sandbox) -> None:
    dixa.state.message_reopens, dixa.state.listing_lag = True, 60.0
    dixa.reset()
    assert (dixa.state.message_reopens, dixa.state.listing_lag) == (False, 0.0)


def _repeat_request(connection: HTTPConnection) -> None:
    connection.request("GET", "/beta/organization")
    connection.getresponse()


def test_connections_are_kept_alive_until_the_sandbox_stops(dixa: Sandbox, client: Client) -> None:
    connection = HTTPConnection(dixa.url.removeprefix("http://"), timeout=30)
    connection.connect()
    connection.auto_open = 0
    for _ in range(3):
        connection.request("GET", "/beta/organization", headers={"Authorization": dixa.token})
        assert connection.getresponse().read()
    assert client.get("/organization").status_code == 200
    dixa.stop()
    with pytest.raises(OSError, match=r"closed|reset|pipe"):
        _repeat_request(connection)
    connection.close()
    with pytest.raises(requests.ConnectionError):
        client.get("/organization")
    dixa.start()
    assert client.get("/organization").status_code == 200


def test_listeners_see_each_exchange(dixa: Sandbox, client: Client) -> None:
    seen: list[str] = []
    dixa.on_exchange.append(lambda exchange: seen.append(exchange.call))
    client.offer(dixa.make_conversation())
    assert seen == ["offer"]


@pytest.mark.parametrize(
    "header",
    [("Transfer-Encoding", "chunked"), ("Content-Length", str(1024 * 1024 + 1))],
    ids=["chunked", "over 1 MiB"],
)
def test_a_body_that_is_not_read_is_refused(dixa: Sandbox, header: tuple[str, str]) -> None:
    connection = HTTPConnection(dixa.url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", "/beta/search/conversations")
    connection.putheader(*header)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
