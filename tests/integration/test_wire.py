"""Chunked, slow, huge and malformed requests to the web server of the Procfile. No webhook is lost."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from service.sandbox.dixa.webhooks import closed_event, sign
from tests.integration.conftest import NewSurvey
from tests.integration.live_survey import LiveSurvey
from tests.processes import WEBHOOK_SECRET, Afterword

SLOW_CLIENTS = 6


def body_of(story: LiveSurvey) -> bytes:
    return json.dumps(closed_event(story.conversation, story.dixa.state.organization)).encode()


@pytest.fixture
def body(new_survey: NewSurvey) -> bytes:
    """Return the body of a new webhook."""
    return body_of(new_survey(state="Closed"))


@pytest.fixture(autouse=True)
def nothing_is_lost(new_survey: NewSurvey, afterword: Afterword) -> Iterator[None]:
    """Assert after each test that a valid webhook causes an offer."""
    yield
    story = new_survey(state="Closed")
    good = body_of(story)
    response = requests.post(afterword.webhook_url, good, headers=sign(good, WEBHOOK_SECRET), timeout=30)
    assert response.status_code == 202
    story.link()


def connect(afterword: Afterword) -> socket.socket:
    return socket.create_connection(("127.0.0.1", afterword.port), timeout=30)


def request(afterword: Afterword, body: bytes, *more: str, headers: dict[str, str] | None = None) -> bytes:
    """Return a webhook's request head, without a body."""
    host = urlsplit(afterword.url).netloc
    given = headers if headers is not None else sign(body, WEBHOOK_SECRET)
    lines = [
        "POST /webhooks/dixa HTTP/1.1",
        f"Host: {host}",
        *(f"{name}: {each}" for name, each in given.items()),
        *more,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def send(afterword: Afterword, raw: bytes) -> int:
    """Send bytes, and return the status of the response, or 0 if the server closes the connection."""
    with connect(afterword) as wire:
        try:
            wire.sendall(raw)
            wire.shutdown(socket.SHUT_WR)
            response = wire.makefile("rb").readline().split()
        except ConnectionError:
            return 0
    return int(response[1]) if response else 0


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_chunked_webhook_is_accepted(afterword: Afterword, body: bytes, size: int) -> None:
    raw = request(afterword, body, "Transfer-Encoding: chunked", "Connection: close")
    assert send(afterword, raw + chunks(body, size)) == 202


def test_chunked_body_has_the_same_size_limit(afterword: Afterword, body: bytes) -> None:
    large = body + b" " * (256 * 1024 + 1 - len(body))
    raw = request(afterword, large, "Transfer-Encoding: chunked", "Connection: close")
    assert send(afterword, raw + chunks(large, 10_000)) == 413


def test_the_limit_of_a_chunked_body_ends_with_its_request(afterword: Afterword, body: bytes) -> None:
    large = body + b" " * (200 * 1024 - len(body))
    raw = request(afterword, large, "Transfer-Encoding: chunked") + chunks(large, 10_000)
    with connect(afterword) as wire, wire.makefile("rb") as response:
        for expected in (202, 200, 200, 200):
            wire.sendall(raw)
            assert int(response.readline().split()[1]) == expected
            headers = dict(line.decode().rstrip().lower().split(": ", 1) for line in iter(response.readline, b"\r\n"))
            response.read(int(headers["content-length"]))


def test_truncated_form_is_not_saved(new_survey: NewSurvey, afterword: Afterword) -> None:
    story = new_survey().close()
    link = urlsplit(story.link())
    whole = b"rating=4&comment=Tak+for+hj%C3%A6lpen"
    head = f"POST {link.path} HTTP/1.1\r\nHost: {link.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    for more, body in (
        (f"Content-Length: {len(whole)}\r\n\r\n", whole[:25]),
        ("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s" % (len(whole), whole[:25])),
        ("Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (25, whole[:25])),
    ):
        assert send(afterword, (head + more).encode() + body) in {0, 400}
        assert story.record.answer is None
    assert send(afterword, f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole) == 303


def test_huge_body_is_refused_by_its_content_length(afterword: Afterword, body: bytes) -> None:
    raw = request(afterword, body, f"Content-Length: {10**12}", "Connection: close")
    assert send(afterword, raw + body) == 413


MALFORMED: dict[str, Callable[[Afterword, bytes], bytes]] = {
    "length too long": lambda web, body: request(web, body, f"Content-Length: {len(body) + 5}") + body,
    "length too short": lambda web, body: request(web, body, f"Content-Length: {len(body) - 5}") + body,
    "no length": lambda web, body: request(web, body) + body,
    "negative length": lambda web, body: request(web, body, "Content-Length: -1") + body,
    "two lengths": lambda web, body: request(web, body, "Content-Length: 5", f"Content-Length: {len(body)}") + body,
    "length and chunks": lambda web, body: (
        request(web, body, "Content-Length: 5", "Transfer-Encoding: chunked") + chunks(body, 50)
    ),
    "odd encoding": lambda web, body: request(web, body, "Transfer-Encoding: chunked, gzip") + chunks(body, 50),
    "chunk size": lambda web, body: request(web, body, "Transfer-Encoding: chunked") + b"zz\r\n" + body,
    "endless chunk": lambda web, body: request(web, body, "Transfer-Encoding: chunked") + b"fffffffff\r\n" + body,
    "header injection": lambda web, body: request(web, body, "X-A: b\r\nX-B\x00: c", f"Content-Length: {len(body)}"),
    "huge header": lambda web, body: request(web, body, "X-A: " + "b" * 100_000),
    "many headers": lambda web, body: request(web, body, *(f"X-{number}: b" for number in range(500))),
    "folded header": lambda web, body: request(web, body, "X-A: b\r\n c") + body,
    "two hosts": lambda web, body: request(web, body, "Host: evil.example", f"Content-Length: {len(body)}") + body,
    "non-ascii signature": lambda web, body: (
        request(web, body, f"Content-Length: {len(body)}", headers={"X-DIXA-SIGNATURE": "t=1,v1=é"}) + body
    ),
    "no HTTP": lambda *_: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    "HTTP/0.9": lambda *_: b"GET /webhooks/dixa\r\n\r\n",
    "nothing": lambda *_: b"",
}


@pytest.mark.parametrize("write", MALFORMED.values(), ids=MALFORMED)
def test_malformed_request_is_refused(
    afterword: Afterword, body: bytes, write: Callable[[Afterword, bytes], bytes]
) -> None:
    status = send(afterword, write(afterword, body))
    assert status == 0 or 400 <= status < 500


def get(afterword: Afterword, path: str, *headers: str) -> int:
    lines = [f"GET {path} HTTP/1.1", f"Host: {urlsplit(afterword.url).netloc}", *headers]
    return send(afterword, ("\r\n".join(lines) + "\r\n\r\n").encode())


def test_large_cookies_of_a_parent_domain_are_accepted(afterword: Afterword, new_survey: NewSurvey) -> None:
    link = urlsplit(new_survey().close().link()).path
    for size in (8_000, 16_384):
        assert get(afterword, link, f"Cookie: {'a' * size}") == 200
    assert get(afterword, link, f"Cookie: {'a' * 20_000}") == 431


def test_no_header_changes_the_path(afterword: Afterword) -> None:
    assert get(afterword, "/healthz", "SCRIPT_NAME: /healthz", "PATH_INFO: /", "REMOTE_USER: a") == 200
    assert get(afterword, "/s/healthz", "SCRIPT_NAME: /s") == 404


def test_extra_slash_is_ignored(afterword: Afterword, body: bytes) -> None:
    for path in ("/healthz/", "//healthz", "/readyz//"):
        assert get(afterword, path) == 200
    raw = request(afterword, body, f"Content-Length: {len(body)}").replace(b"/dixa HTTP", b"//dixa/ HTTP", 1)
    assert send(afterword, raw + body) == 202


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_web_listens_on_ipv6(afterword: Afterword, tmp_path: Path, body: bytes) -> None:
    web = Afterword(tmp_path, afterword._environ)
    here = f"http://[::1]:{web.port}"
    web._environ |= {"BIND": f"[::]:{web.port}", "PUBLIC_URL": here, "SPOOL_DIR": "off"}
    web.start("web")
    try:
        for url in (here, f"http://[0:0:0:0:0:0:0:1]:{web.port}"):
            response = requests.post(f"{url}/webhooks/dixa", body, headers=sign(body, WEBHOOK_SECRET), timeout=30)
            assert response.status_code in {200, 202}
    finally:
        web.stop()


def test_slow_clients_do_not_block_others(afterword: Afterword, new_survey: NewSurvey) -> None:
    """docs/proxy.md describes the effect of many slow clients, and the proxy against them."""
    with ExitStack() as held:
        stories = [new_survey(state="Closed") for _ in range(SLOW_CLIENTS)]
        bodies = [body_of(each) for each in stories]
        wires = [held.enter_context(connect(afterword)) for _ in stories]
        for wire, raw in zip(wires, bodies, strict=True):
            wire.sendall(request(afterword, raw, f"Content-Length: {len(raw)}") + raw[:10])
        new_survey().close().link()
        for wire, raw in zip(wires, bodies, strict=True):
            wire.sendall(raw[10:])
            assert wire.makefile("rb").readline().split()[1] == b"202"
