"""SSL_CERT_FILE adds a private certificate authority for Redis (both clients), Dixa, receivers and mail servers."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from config.endpoints import Tls
from config.environment import trust_certificates
from config.loader import SettingsError
from service.sandbox.server import Sandbox
from service.sessions import new_session, tls_context
from tests.delivery.mails import deliver
from tests.integration.conftest import SURVEYS, Starter
from tests.polling import eventually
from tests.processes import RedisServer, settings_for
from tests.smtp import post_office
from tests.tls import tls_front


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust the authority in this process until the end of the test."""
    monkeypatch.setenv("SSL_CERT_FILE", "")
    trust_certificates(settings_for("redis://h", SSL_CERT_FILE=str(tmp_path / "authority.pem")).certificates)
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


def test_web_and_worker_trust_a_private_authority(
    start: Starter, own_redis: RedisServer, dixa: Sandbox, context: ssl.SSLContext, tmp_path: Path
) -> None:
    dixa_port = urlsplit(dixa.api_url).port
    assert dixa_port
    with tls_front(context, own_redis.port) as redis_port, tls_front(context, dixa_port) as api_port:
        afterword = start(
            SURVEYS,
            REDIS_URL=f"rediss://localhost:{redis_port}/0",
            dixa_url=f"https://localhost:{api_port}{urlsplit(dixa.api_url).path}",
            SSL_CERT_FILE=str(tmp_path / "authority.pem"),
        )
        dixa.sends_webhooks_to(afterword.webhook_url)
        conversation = dixa.make_conversation()
        dixa.close(conversation)
        eventually(lambda: dixa.offers(conversation))
        afterword.stop()


@pytest.mark.usefixtures("trusted")
def test_https_trusts_the_private_and_the_public_authorities(dixa: Sandbox, context: ssl.SSLContext) -> None:
    port = urlsplit(dixa.api_url).port
    assert port
    with tls_front(context, port) as front, new_session("test") as session:
        assert session.get(f"https://localhost:{front}/", timeout=30)
    public = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH).get_ca_certs()
    assert len(tls_context.__wrapped__().get_ca_certs()) == len(public) + 1


def test_https_does_not_trust_an_unknown_authority(dixa: Sandbox, context: ssl.SSLContext) -> None:
    port = urlsplit(dixa.api_url).port
    assert port
    with tls_front(context, port) as front, new_session("test") as session, pytest.raises(requests.RequestException):
        session.get(f"https://localhost:{front}/", timeout=30)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_smtp_trusts_the_private_authority(tls: Tls, context: ssl.SSLContext) -> None:
    with post_office(tls, context) as (taken, server):
        deliver(server)
    assert len(taken.mails) == 1


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "text.pem", ""])
def test_a_file_without_certificates_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE: names no file of certificates \(PEM\)"):
        settings_for("redis://h", SSL_CERT_FILE=str(tmp_path / name))
