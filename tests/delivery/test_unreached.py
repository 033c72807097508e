"""What fails before a request is sent certainly reached nobody: it is for later. What fails after it may be there."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from service.delivery.outbound import Outbound
from service.surveys.errors import NotDelivered, OutcomeUnknown
from service.surveys.ports import Deadline
from tests.dixa.raw import RawServer, answer
from tests.processes import free_port

OK = [answer("200 OK")]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Whom we trust, and nobody else."""
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


def test_a_certificate_that_is_wrong_is_for_later_and_named(ca: trustme.CA) -> None:
    for certificate, named in certificates(ca):
        with RawServer(OK, context=context_of(certificate)) as server, pytest.raises(NotDelivered, match=named):
            post(server.url)


def test_who_speaks_no_tls_or_hangs_up_on_it_is_for_later(ca: trustme.CA) -> None:
    with RawServer([b"220 mail.example ESMTP\r\n"]) as server, pytest.raises(NotDelivered, match="no TLS: "):
        post(server.url.replace("http:", "https:"))
    with RawServer([]) as server, pytest.raises(NotDelivered):
        post(server.url.replace("http:", "https:"))


def test_a_host_that_is_not_there_is_named(ca: trustme.CA) -> None:
    with pytest.raises(NotDelivered, match="nobody listens there"):
        post(f"https://127.0.0.1:{free_port()}/token")
    with pytest.raises(NotDelivered, match="no such host") as caught:
        post("https://receiver.invalid/token")
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_for_later(monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, scheme: str) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotDelivered, match="nobody listens there"):
        post(f"{scheme}://receiver.example/token")


@pytest.mark.parametrize(
    "said", [[answer("407 Proxy Authentication Required")], [answer("502 Bad Gateway")], [b"SSH-2.0-odd\r\n"], []]
)
def test_a_proxy_that_makes_no_way_is_for_later(
    monkeypatch: pytest.MonkeyPatch, ca: trustme.CA, said: list[bytes]
) -> None:
    with RawServer(said) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NotDelivered):
            post("https://receiver.example/token")
    assert proxy.requests[0].startswith(b"CONNECT receiver.example:443")
    assert b"secret" not in proxy.requests[0]


def test_a_plain_proxy_that_hangs_up_may_have_passed_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer([]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(OutcomeUnknown):
            post("http://receiver.example/token")
    assert proxy.requests[0].startswith(b"POST http://receiver.example/token")


@pytest.mark.parametrize("said", [[], [b"HTTP/1.1 20"]])
def test_what_breaks_off_after_the_request_may_have_arrived(ca: trustme.CA, said: list[bytes]) -> None:
    with RawServer(said, context=context_of(ca.issue_cert("127.0.0.1"))) as server, pytest.raises(OutcomeUnknown):
        post(server.url)
    assert server.requests[0].startswith(b"POST /beta")
