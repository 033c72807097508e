"""The client with servers other than Dixa: malformed, endless and slow responses."""

import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from service.dixa.client import DixaClient
from service.dixa.token_check import TokenCheck
from service.sandbox.server import Sandbox
from service.sessions import new_session
from service.surveys.errors import CallError, OutcomeUnknown, Refused, RetryLater
from service.surveys.ports import Deadline, Slot
from service.surveys.ratings import RatingType
from tests.dixa.raw import RawServer, response
from tests.polling import soon
from tests.processes import API_TOKEN, free_port

BODY = b'{"data": {"id": "rating-1"}}'


class NoPace:
    """No limit."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta, outage_keys: Sequence[str] = ()) -> Slot:
        return Slot(API_TOKEN, deadline)

    def pause(self, length: timedelta) -> None:
        """Ignore the pause."""

    def cool_down(self, token: str, length: timedelta, problem: str) -> str:
        return problem


class AlwaysChecked(TokenCheck):
    """Checks the token each time."""

    def __init__(self) -> None:
        """Needs no Redis."""

    def check(self, token: str, query: Callable[[], bool]) -> bool:
        return query()


def client_of(url: str) -> DixaClient:
    return DixaClient(new_session("afterword/1.2.3"), url, NoPace(), AlwaysChecked())


def offer(client: DixaClient, seconds: float = 5.0) -> str:
    slot = client.take_slot(Deadline(timedelta(seconds=seconds)), timedelta())
    return client.offer(slot, 7, RatingType.CSAT, user_id="user", agent_id=None, offered_at=datetime.now(UTC))


def submit(client: DixaClient, seconds: float = 5.0) -> None:
    slot = client.take_slot(Deadline(timedelta(seconds=seconds)), timedelta())
    client.submit(slot, 7, "r", rating=RatingType.CSAT, score=1, comment="", submitted_at=datetime.now(UTC))


def ratings(client: DixaClient, seconds: float = 5.0) -> object:
    return client.ratings(client.take_slot(Deadline(timedelta(seconds=seconds)), timedelta()), 7)


def outcome(call: Callable[[DixaClient, float], object], url: str, seconds: float = 5.0) -> type[CallError] | None:
    """Return the kind of error, or None. Errors never contain the token."""
    found = None
    try:
        call(client_of(url), seconds)
    except CallError as error:
        found = error
    assert found is None or API_TOKEN not in f"{found!r} {found.__cause__!r}"
    return None if found is None else type(found)


def test_a_request_has_our_user_agent_and_the_raw_token() -> None:
    with RawServer([response("201 Created", BODY)]) as server:
        assert offer(client_of(server.url)) == "rating-1"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /beta/conversations/7/ratings/offer HTTP/1.1"
    assert f"Authorization: {API_TOKEN}" in lines
    assert "User-Agent: afterword/1.2.3" in lines
    assert "Accept: application/json" in lines
    assert API_TOKEN.encode() not in body


def test_a_login_from_the_environment_does_not_replace_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer([response("201 Created", BODY)]) as server:
        offer(client_of(server.url))
    assert f"Authorization: {API_TOKEN}\r\n".encode() in server.requests[0]


def test_a_session_reads_the_proxy_of_each_host_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with RawServer([response("200 OK")]) as proxy, RawServer([response("200 OK")]) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        session = new_session("afterword/1.2.3")
        for _ in range(2):
            assert session.get("http://dixa.example/", timeout=5).ok
            assert session.get(server.url, timeout=5).ok
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert [each.split(b" ")[1] for each in proxy.requests] == [b"http://dixa.example/"] * 2
    assert [each.split(b" ")[1] for each in server.requests] == [b"/beta"] * 2


def test_no_cookie_is_kept() -> None:
    with RawServer([response("201 Created", BODY, "Set-Cookie: session=1; Path=/")]) as server:
        client = client_of(server.url)
        offer(client)
        offer(client)
    assert b"Cookie" not in server.requests[1]


PAGE = b"<html><body>We'll be back soon</body></html>"
FROM_A_PROXY = [
    ("200 OK", PAGE),
    ("201 Created", PAGE),
    ("200 OK", b'{"status": "maintenance"}'),
    ("200 OK", b'["data"]'),
    ("200 OK", b'{"data": '),
    ("404 Not Found", PAGE),
    ("404 Not Found", b"default backend - 404"),
]


@pytest.mark.parametrize(("status", "page"), FROM_A_PROXY)
def test_a_success_or_404_of_a_proxy_does_not_count(status: str, page: bytes) -> None:
    """Dixa did not get the request, although the proxy returned success or 404."""
    with RawServer([response(status, page)]) as server:
        assert [outcome(each, server.url) for each in (offer, submit)] == [OutcomeUnknown] * 2
        assert outcome(ratings, server.url) is RetryLater


@pytest.mark.parametrize("body", [b"", b'{"message": "Conversation not found"}', b"{}"])
def test_a_404_of_dixas_is_a_refusal(body: bytes) -> None:
    with RawServer([response("404 Not Found", body)]) as server:
        assert [outcome(each, server.url) for each in (offer, submit, ratings)] == [Refused] * 3


def test_a_204_is_a_success() -> None:
    with RawServer([response("204 No Content")]) as server:
        assert outcome(submit, server.url) is None


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed(status: str) -> None:
    """Following one would send the token to another server, and may repeat a command."""
    elsewhere = RawServer([response("201 Created", BODY)])
    with elsewhere, RawServer([response(status, b"{}", f"Location: {elsewhere.url}")]) as server:
        assert outcome(offer, server.url) is OutcomeUnknown
        assert outcome(ratings, server.url) is RetryLater
    assert elsewhere.requests == []


MALFORMED: dict[str, bytes] = {
    "not JSON": response("201 Created", b"<html>Welcome to the hotel's network</html>"),
    "cut off JSON": response("201 Created", BODY[:-2]),
    "not UTF-8": response("201 Created", b'{"data": {"id": "\xff"}}'),
    "too deep": response("201 Created", b"[" * 200_000),
    "no data": response("201 Created", b"{}"),
    "an empty body": response("201 Created"),
    "a list": response("201 Created", b"[]"),
    "no id": response("201 Created", b'{"data": {}}'),
    "an id that is none": response("201 Created", b'{"data": {"id": 7}}'),
    "less than announced": response("201 Created", BODY).replace(b"Length: 28", b"Length: 99"),
    "a bad chunk": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a chunk too few": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "broken gzip": response("201 Created", b"not gzip at all, really", "Content-Encoding: gzip"),
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "an unknown status": response("999 Odd", BODY),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_after_a_malformed_response_the_outcome_is_unknown(malformed: str) -> None:
    with RawServer([MALFORMED[malformed]]) as server:
        assert outcome(offer, server.url) is OutcomeUnknown
        assert outcome(ratings, server.url) is RetryLater


@pytest.mark.parametrize("status", ["300 Multiple", "302 Found", "304 Not Modified", "103 Early Hints"])
def test_only_2xx_is_a_success(status: str) -> None:
    with RawServer([response(status)]) as server:
        assert outcome(submit, server.url) is OutcomeUnknown


def test_a_submit_ignores_the_body_of_the_response() -> None:
    with RawServer([response("201 Created", b'{"data": {}}')]) as server:
        assert outcome(submit, server.url) is None


def test_a_chunked_response_is_read() -> None:
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:])]
    with RawServer([head, *chunks, b"0\r\n\r\n"], pause=0.01) as server:
        assert offer(client_of(server.url)) == "rating-1"


def test_an_endless_response_is_cut_off() -> None:
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n"
    with RawServer([head, *[b" " * 1024 * 1024] * 20, BODY]) as server:
        assert outcome(offer, server.url, 30.0) is OutcomeUnknown


def _chunked(byte: bytes) -> bytes:
    return b"1\r\n" + byte + b"\r\n"


SLOW: dict[str, list[bytes]] = {
    "a status line": [b"HTTP/1.1 201 ", *[b"C"] * 100],
    "headers": [b"HTTP/1.1 201 Created\r\n", *[b"X-A: n\r\n"] * 80, b"\r\n"],
    "one header": [b"HTTP/1.1 201 Created\r\nX-A: ", *[b"n"] * 100],
    "interim responses": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100,
    "a redirect": [b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", *[b" "] * 100],
    "a body": [b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n", *[b" "] * 100],
    "a body of no known length": [b"HTTP/1.1 201 Created\r\n\r\n", *[b" "] * 100],
    "chunks": [b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n", *[_chunked(b" ")] * 100],
    "an error": [b"HTTP/1.1 503 Unavailable\r\nContent-Length: 100\r\n\r\n", *[b" "] * 100],
}


@pytest.mark.parametrize("slow", SLOW)
def test_a_slow_response_is_cut_off_at_the_deadline(slow: str) -> None:
    """Each byte arrives within the read timeout of `requests`, which applies to single reads."""
    with RawServer(SLOW[slow], pause=0.1) as server:

        def call() -> None:
            assert outcome(offer, server.url, 0.5) is OutcomeUnknown

        soon(call, within=3)


def test_a_slow_response_over_tls_is_cut_off_at_the_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with RawServer(SLOW["headers"], pause=0.1, context=context) as server:

        def call() -> None:
            assert outcome(offer, server.url, 0.5) is OutcomeUnknown

        soon(call, within=3)
        assert server.requests[0].startswith(b"POST /beta/")


def test_a_kept_connection_has_a_new_deadline_for_each_call() -> None:
    """The time left of the first call does not limit the second one."""
    kept = response("201 Created", BODY).replace(b"Connection: close\r\n", b"")
    with RawServer([kept[:9], kept[9:], kept], pause=0.5) as server:
        client = client_of(server.url)
        assert offer(client, 0.9) == offer(client, 0.9) == "rating-1"
        assert len(server.requests) == 1


def test_refused_connection_is_retried_later() -> None:
    url = f"http://127.0.0.1:{free_port()}/beta"
    assert outcome(offer, url) is outcome(ratings, url) is RetryLater


def test_failed_name_lookup_is_retried_later() -> None:
    assert outcome(offer, "http://dixa.invalid/beta") is RetryLater


def test_a_refusal_may_have_a_malformed_body() -> None:
    with RawServer([response("400 Bad Request", b"<html>")]) as server:
        assert outcome(offer, server.url) is Refused


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
def test_a_lost_request_is_not_sent_again_for_minutes(dixa: Sandbox) -> None:
    """The kernel would, even after the connection is closed: the call would be made after it counts as not made."""
    with new_session("test") as session:
        session.get(f"{dixa.api_url}/organization", timeout=10)
        manager: Any = session.get_adapter(dixa.api_url)
        (pool,) = manager.poolmanager.pools._container.values()
        connection = pool.pool.get()
        pool.pool.put(connection)
        connected = connection.sock
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
