"""An e-mail is sent with TLS and a login, or not at all."""

import ssl
from dataclasses import replace

import pytest

from config.endpoints import SmtpServer, Tls
from service.surveys.errors import ChannelDown, NotDelivered
from tests.delivery.mails import deliver
from tests.smtp import PASSWORD, USER, Post, authenticator_for, certificates, check_password, post_office


@pytest.fixture(scope="module")
def trust() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificates()


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_an_email_is_sent_with_tls_and_login(tls: Tls, trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = trust
    # aiosmtpd accepts a login without STARTTLS only if configured so.
    options = {"authenticator": check_password, "auth_require_tls": tls is Tls.STARTTLS}
    with post_office(tls, theirs, **options) as (taken, server):
        deliver(replace(server, user=USER, password=PASSWORD), context=ours)
    assert taken.logins == [True]


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_an_untrusted_certificate_means_channel_down(tls: Tls, trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        post_office(tls, trust[0]) as (taken, server),
        pytest.raises(ChannelDown, match="its certificate is not trusted"),
    ):
        deliver(server)
    assert taken.commands == []


def test_a_certificate_for_another_host_is_refused(trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        post_office(Tls.STARTTLS, trust[0]) as (taken, server),
        pytest.raises(NotDelivered, match="is for another host"),
    ):
        deliver(replace(server, host="127.0.0.1"), context=trust[1])
    assert taken.mails == []


def test_without_starttls_nothing_is_sent_unencrypted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    with pytest.raises(NotDelivered, match="SMTPNotSupportedError"):
        deliver(replace(server, tls=Tls.STARTTLS))
    assert taken.commands == []


@pytest.mark.parametrize("without", [[], ["PLAIN"]])
@pytest.mark.parametrize(("user", "password"), [(USER, "pässwörd"), ("søren", PASSWORD), ("søren", "密码🔑 \u20ac")])
def test_a_login_may_have_non_ascii_letters(user: str, password: str, without: list[str]) -> None:
    authenticator = authenticator_for(user, password)
    with post_office(authenticator=authenticator, auth_require_tls=False, auth_exclude_mechanism=without) as (
        taken,
        server,
    ):
        deliver(replace(server, user=user, password=password))
        with pytest.raises(NotDelivered, match="535") as refused:
            deliver(replace(server, user=user, password=f"{password}é"))
    assert taken.logins == [True]
    assert password not in str(refused.getrepr(style="native"))


def test_failed_non_ascii_login_does_not_quote_the_password() -> None:
    without = ["PLAIN", "LOGIN"]
    with (
        post_office(auth_require_tls=False, auth_exclude_mechanism=without) as (taken, server),
        pytest.raises(NotDelivered) as refused,
    ):
        deliver(replace(server, user=USER, password="pässwörd"))
    assert taken.commands == []
    assert "pässwörd" not in str(refused.value)


def test_a_wrong_password_means_channel_down(trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with post_office(Tls.STARTTLS, trust[0], authenticator=check_password) as (taken, server):
        with pytest.raises(ChannelDown, match="535"):
            deliver(replace(server, user=USER, password="wrong"), context=trust[1])
        assert taken.commands == []
