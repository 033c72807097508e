"""Hosts and URLs in variables. A refused one is not repeated."""

from collections.abc import Callable

import pytest

from config.address_parsers import endpoint_url, hosts, smtp_url
from config.endpoints import SmtpServer, Tls
from config.loader import read_settings
from tests.config.test_settings import GOOD, mistakes


def test_trailing_slash_of_url_is_removed() -> None:
    settings = read_settings({**GOOD, "PUBLIC_URL": "http://localhost:8000/", "DIXA_API_URL": "https://x.example/v1/"})
    assert (settings.public_url, settings.dixa_api_url) == ("http://localhost:8000", "https://x.example/v1")


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("https://Straße.example", "https://xn--strae-oqa.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_host_of_public_url_becomes_ascii(url: str, normalized: str) -> None:
    """The URL is written into headers of e-mails, which are ASCII."""
    assert read_settings({**GOOD, "PUBLIC_URL": url}).public_url == normalized


def test_support_and_privacy_urls_are_read() -> None:
    settings = read_settings(
        {**GOOD, "SUPPORT_URL": "mailto:help@shop.example", "PRIVACY_URL": "https://shop.example/?p"}
    )
    assert (settings.support_url, settings.privacy_url) == ("mailto:help@shop.example", "https://shop.example/?p")


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://u:p@h:6379/15",
        "rediss://h:6380",
        "unix:///run/redis.sock?db=1",
        "sentinel://a/mymaster",
        "sentinel://a:26379,b.example,[::1]:26380/my-master.1_x/15",
        "sentinel://u:p%40@a,b,c/mymaster/0?protocol=2&sentinel_username=s&sentinel_password=p%3F",
        "sentinels://:p@a,b,c/mymaster/?ssl_check_hostname=false&db=3",
    ],
)
def test_redis_url_is_accepted(url: str) -> None:
    assert read_settings({**GOOD, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "options",
    ["db=3", "username=u&password=p%40%3F", "protocol=2", "protocol=3&ssl_cert_reqs=none", "ssl_check_hostname=false"],
)
def test_redis_option_is_accepted(options: str) -> None:
    url = f"rediss://h:6380?{options}"
    assert read_settings({**GOOD, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://h?max_connections=8", "option max_connections. Afterword sets it itself"),
        ("redis://h?client_name=hunter2", "option client_name. Afterword sets it itself"),
        ("rediss://h?health_check_interval=5", "option health_check_interval. Afterword sets it itself"),
        ("unix:///s?socket_timeout=hunter2", "option socket_timeout. Afterword sets it itself"),
        ("redis://h?nonsense", "option nonsense. Afterword sets it itself"),
        ("redis://h?db=hunter2", "option db that can't be read. Write a number"),
        ("redis://h?db=", "option db that can't be read. Write a number"),
        ("redis://h?db=1&db=2", "option db more than once"),
        ("redis://h?protocol=4", "option protocol that can't be read. Write 2 or 3"),
        ("redis://h?ssl_cert_reqs=none", "option ssl_cert_reqs, which is for TLS. Write rediss://"),
        ("unix:///s?ssl_ca_certs=ca.pem", "option ssl_ca_certs, which is for TLS. Write rediss://"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "option ssl_cert_reqs that can't be read. Write none, optional or"),
        ("rediss://h?ssl_check_hostname=hunter2", "option ssl_check_hostname that can't be read. Write true or"),
        ("rediss://h?ssl_ca_certs=/no/hunter2", "option ssl_ca_certs that names no file of certificates"),
        ("rediss://h?ssl_ca_certs=%00", "option ssl_ca_certs that names no file of certificates"),
        ("rediss://h?ssl_keyfile=/no/hunter2", "option ssl_keyfile without ssl_certfile"),
        ("rediss://h?ssl_certfile=/no/hunter2", "ssl_certfile and ssl_keyfile that don't fit"),
        ("redis://:12?hunter2@h", 'Write a "?" in a password as %3F'),
        ("redis://:12?hunter=two@h", 'Write a "?" in a password as %3F'),
        ("sentinel://a/mymaster?sentinel_username=hunter2", "option sentinel_username without sentinel_password"),
        ("redis://h?sentinel_password=hunter2", "option sentinel_password. Afterword sets it itself"),
        ("sentinel://a/mymaster?ssl_cert_reqs=none", "option ssl_cert_reqs, which is for TLS. Write sentinels://"),
        ("sentinel://a/mymaster?master_name=hunter2", "option master_name. Afterword sets it itself"),
        ("sentinel://a,/mymaster", "a sentinel that isn't a host with a port. Write sentinel://a:26379,"),
        ("sentinel:///mymaster", "a sentinel that isn't a host with a port"),
    ],
)
def test_refused_redis_option_is_named_without_its_value(url: str, words: str) -> None:
    (line,) = mistakes(REDIS_URL=url)
    assert line.startswith("  REDIS_URL: has ")
    assert words in line
    assert "hunter" not in line


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, Tls.STARTTLS)),
        ("smtp://mail.example:2525?starttls=required", SmtpServer("mail.example", 2525, Tls.STARTTLS)),
        ("smtps://mail.example", SmtpServer("mail.example", 465, Tls.IMPLICIT)),
        ("smtp://localhost?starttls=off", SmtpServer("localhost", 25, Tls.NONE)),
        ("smtp://a:b@localhost:1025/?starttls=off", SmtpServer("localhost", 1025, Tls.NONE, "a", "b")),
        (
            "smtp://me%40mail.example:p%2Fw%3A@mail.example",
            SmtpServer("mail.example", 587, Tls.STARTTLS, "me@mail.example", "p/w:"),
        ),
        ("smtps://[::1]:465", SmtpServer("::1", 465, Tls.IMPLICIT)),
    ],
)
def test_smtp_url_is_read(text: str, server: SmtpServer) -> None:
    assert smtp_url(text) == server


@pytest.mark.parametrize(
    "text", ["https://sender.example/hook?x=1", "http://localhost:8080/", "http://127.0.0.1", "http://[::1]:1/x"]
)
def test_endpoint_url_is_accepted(text: str) -> None:
    assert endpoint_url(text) == text


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (smtp_url, "mail.example:587"),
        (smtp_url, "http://mail.example"),
        (smtp_url, "smtp://"),
        (smtp_url, "smtp://mail.example:port"),
        (smtp_url, "smtp://mail.example/path"),
        (smtp_url, "smtp://mail.example?starttls=maybe"),
        (smtp_url, "smtp://mail.example?tls=off"),
        (smtp_url, "smtps://mail.example?starttls=off"),
        (smtp_url, "smtps://mail.example?starttls=required"),
        (smtp_url, "smtp://user:s3cret@mail.example?starttls=off"),
        (smtp_url, "smtp://user:s3c ret@mail.example"),
        (smtp_url, "smtp://user:s3crét@mail.example"),
        (endpoint_url, "http://sender.example/s3cret"),
        (endpoint_url, "sender.example/s3cret"),
        (endpoint_url, "ftp://sender.example/s3cret"),
        (endpoint_url, "https:///s3cret"),
        (endpoint_url, "https://sender.example:s3cret"),
        (endpoint_url, "https://user:s3cret@sender.example"),
        (endpoint_url, "https://sender.example/s3cret#x"),
        (endpoint_url, "https://sender.example/s3cret x"),
        (endpoint_url, "https://sender.example/s3crét"),
    ],
)
def test_refused_url_is_not_repeated(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|would|doesn.t) ") as caught:
        parse(text)
    assert "s3c" not in str(caught.value)


def test_host_names_are_read_or_refused() -> None:
    assert hosts("Reviews.example, shop.example,") == ("reviews.example", "shop.example")
    for text in ("https://reviews.example", "*.example", "a b"):
        with pytest.raises(ValueError, match=r"^(is|has) "):
            hosts(text)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sentinel://:hunter2@a:26379,b:26379", "names no primary after the sentinels. Write the name that they know"),
        ("sentinel://:hunter2@a/", "names no primary after the sentinels"),
        ("sentinel://:hunter2@a/my%20master", "names no primary after the sentinels"),
        ("sentinel://:hunter2@a/mymaster/one", "names no database after the primary. Write its number"),
        ("sentinel://:hunter2@a:port/mymaster", "is not a URL: its host or port can't be read"),
        ("sentinel://:hunter/2@a/mymaster", "is not a URL: its host or port can't be read"),
        ("sentinel://:hunter#2@a/mymaster", "is not the URL of Redis Sentinels. Write sentinel://a:26379,"),
        ("sentinel://:hunter 2@a/mymaster", "has white space in it"),
        ("redis://a:26379,b:26379/0", "is not a URL: its host or port can't be read"),
    ],
)
def test_refused_url_of_sentinels_is_explained_without_its_password(url: str, words: str) -> None:
    (line,) = mistakes(REDIS_URL=url)
    assert words in line
    assert "hunter" not in line
