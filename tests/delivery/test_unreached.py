"""A failure before the request is "not delivered". After the request the outcome is unknown."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from service.delivery.outbound import Outbound
from service.surveys.errors import NotDelivered, OutcomeUnknown
from service.surveys.ports import Deadline
from tests.dixa.raw import RawServer, response
from tests.processes import free_port

OK = [response("200 OK")]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Create the only trusted certificate authority."""
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return found


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def post(url: str) -> None:
    Outbound(url).post(b'{"text": "secret"}', {}, Deadline(timedelta(seconds=5)))


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def certificates(ca: trustme.CA) -> Iterator[tuple[trustme.LeafCert, str]]:
    yield trustme.CA().issue_cert("127.0.0.1"), "its certificate is not trusted"
    yield ca.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=1)), "has expired"
    yield ca.issue_cert("receiver.example"), "is for another host"


def test_a_wrong_certificate_is_named_and_nothing_is_sent(ca: trustme.CA) -> None:
    for certificate, named in certificates(ca):
        with RawServer(OK, context=context_of(certificate)) as server, pytest.raises(NotDelivered, match=named):
            post(server.url)


def test_nothing_is_sent_to_a_server_without_tls(ca: trustme.CA) -> None:
    with RawServer([b"220 mail.example ESMTP\r\n"]) as server, pytest.raises(NotDelivered, match="no TLS: "):
        post(server.url.replace("http:", "https:"))
    with RawServer([]) as server, pytest.raises(NotDelivered):
        post(server.url.replace("http:", "https:"))


def test_an_unreachable_host_is_named(ca: trustme.CA) -> None:
    with pytest.raises(NotDelivered, match="connection refused"):
        post(f"https://127.0.0.1:{free_port()}/token")
    with pytest.raises(NotDelivered, match="no such host") as caught:
        post("https://receiver.invalid/token")
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_is_sent_if_the_proxy_is_down(monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, scheme: str) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotDelivered, match="connection refused"):
        post(f"{scheme}://receiver.example/token")


@pytest.mark.parametrize(
    "raw",
    [[response("407 Proxy Authentication Required")], [response("502 Bad Gateway")], [b"SSH-2.0-odd\r\n"], []],
)
def test_nothing_is_sent_through_a_refusing_proxy(
    monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, raw: list[bytes]
) -> None:
    with RawServer(raw) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NotDelivered):
            post("https://receiver.example/token")
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:443")
    assert b"secret" not in proxy.requests[0]


def test_outcome_is_unknown_after_an_http_proxy_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer([]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(OutcomeUnknown):
            post("http://receiver.example/token")
    assert proxy.requests[0].startswith(b"POST http://receiver.example/token")


@pytest.mark.parametrize("raw", [[], [b"HTTP/1.1 20"]])
def test_outcome_is_unknown_after_an_interrupted_response(ca: trustme.CA, raw: list[bytes]) -> None:
    with (
        RawServer(raw, context=context_of(ca.issue_cert("127.0.0.1"))) as server,
        pytest.raises(OutcomeUnknown),
    ):
        post(server.url)
    assert server.requests[0].startswith(b"POST /beta")
