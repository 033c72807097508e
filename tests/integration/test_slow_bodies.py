"""The server ends the connection of an endless body, and serves other requests without delay."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from service.web.request_body import MAX_PIECES
from tests.integration.conftest import SURVEYS, NewSurvey, Starter
from tests.integration.test_wire import chunks, connect, request
from tests.polling import eventually
from tests.processes import Afterword, count_connections

FORM = "Content-Type: application/x-www-form-urlencoded"
FLOOD = 250_000
"""These chunks of one byte have 1.5 MB, but their content is within the limit."""


@pytest.fixture(scope="module")
def web(start: Starter) -> Afterword:
    """Start a web process. The test may kill its workers."""
    return start(SURVEYS, "web")


@pytest.fixture
def wires() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def unsigned(moment: float | None = None) -> dict[str, str]:
    """Return headers like Dixa's."""
    at = int((time.time() if moment is None else moment) * 1000)
    return {"Content-Type": "application/json", "X-DIXA-SIGNATURE": f"t={at},v1={'0' * 64}"}


def form(url: str, *more: str) -> bytes:
    parts = urlsplit(url)
    return "\r\n".join([f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", FORM, *more, "", ""]).encode()


def send(wires: ExitStack, web: Afterword, raw: bytes) -> socket.socket:
    wire = wires.enter_context(connect(web))
    wire.sendall(raw)
    return wire


def read_response(wire: socket.socket) -> tuple[int, bytes]:
    """Read until the server closes the connection."""
    raw = b"".join(iter(lambda: wire.recv(65536), b""))
    return int(raw.split(b" ", 2)[1]), raw


def test_endless_body_gets_a_408(wires: ExitStack, afterword: Afterword, new_survey: NewSurvey) -> None:
    story = new_survey().close()
    link = story.link()
    stalled = [
        send(wires, afterword, raw)
        for raw in (
            request(afterword, b"", "Content-Length: 100", headers=unsigned()) + b"{",
            request(afterword, b"", "Transfer-Encoding: chunked", headers=unsigned()) + b"1\r\n{\r\n",
            request(afterword, b"", "Transfer-Encoding: chunked", headers=unsigned()) + b"5;a",
            form(link, "Content-Length: 100") + b"rating=4",
            form(f"{link}/stop", "Content-Length: 6") + b"undo=",
        )
    ]
    dripping = send(wires, afterword, request(afterword, b"", "Content-Length: 99", headers=unsigned()))
    while True:
        # Each byte arrives within the socket's timeout.
        dripping.sendall(b"a")
        dripping.settimeout(0.3)
        try:
            assert dripping.recv(100).split()[1] == b"408"
        except TimeoutError:
            continue
        break
    responses = [read_response(wire) for wire in stalled]
    assert [status for status, _ in responses] == [408] * len(stalled)
    assert all(b"\r\nConnection: close\r\n" in raw for _, raw in responses)
    assert b"<form" in responses[3][1], "the customer can send the form again"
    assert story.record.answer is None
    assert "Stop asking me" in requests.get(f"{link}/stop", timeout=30).text, "half an undo changes nothing"


def test_request_without_signature_or_link_is_refused_at_once(wires: ExitStack, afterword: Afterword) -> None:
    cases = {
        "none": {"Content-Type": "application/json"},
        "odd": unsigned() | {"X-DIXA-SIGNATURE": "t=1,v1=zz"},
        "old": unsigned(time.time() - 3600),
        "early": unsigned(time.time() + 3600),
    }
    for headers in cases.values():
        raw = request(afterword, b"", "Content-Length: 100", headers=headers)
        assert read_response(send(wires, afterword, raw + b"{"))[0] == 401
    for path in ("/s/nothing", "/s/nothing/stop", "/nowhere"):
        assert (
            read_response(send(wires, afterword, form(f"{afterword.url}{path}", "Content-Length: 9") + b"a"))[0] == 404
        )


FLOODS: dict[str, Callable[[Afterword, str], bytes]] = {
    "webhook": lambda web, _: request(web, b"", "Transfer-Encoding: chunked", headers=unsigned()),
    "form": lambda _, link: form(link, "Transfer-Encoding: chunked"),
    "stop": lambda _, link: form(f"{link}/stop", "Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("write", FLOODS.values(), ids=FLOODS)
def test_too_many_chunks_are_refused(
    wires: ExitStack, afterword: Afterword, new_survey: NewSurvey, write: Callable[[Afterword, str], bytes]
) -> None:
    """Reading them all would block a worker for half a second, before the signature is verified."""
    head = write(afterword, new_survey().close().link())
    assert b"411" in send_all(wires, afterword, head + chunks(b"a" * FLOOD, 1))
    assert b"411" in send_all(wires, afterword, head + chunks(b"a" * (MAX_PIECES + 1), 1))


def send_all(wires: ExitStack, web: Afterword, raw: bytes) -> bytes:
    """Send all bytes, and read the status line."""
    wire = wires.enter_context(connect(web))
    wire.sendall(raw)
    return wire.makefile("rb").readline()


@pytest.mark.parametrize("path", ["/healthz", "/s/nothing", "/nowhere"])
def test_unread_body_closes_the_connection(wires: ExitStack, afterword: Afterword, path: str) -> None:
    """Otherwise gunicorn would read the whole body to reach the next request."""
    after = f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(afterword.url).netloc}\r\n\r\n".encode()
    for frame, body in (
        ("Content-Length: 100000", b"a" * 100_000),
        ("Transfer-Encoding: chunked", chunks(b"a" * 10_000, 1)),
        ("Transfer-Encoding: chunked", b"5;a"),
    ):
        raw = form(f"{afterword.url}{path}", frame).replace(b"POST", b"GET", 1)
        status, whole = read_response(send(wires, afterword, raw + body + after))
        assert status in {200, 404}
        assert whole.count(b"HTTP/1.1 ") == 1
        assert b"\r\nConnection: close\r\n" in whole


def test_read_body_leaves_the_connection_open(wires: ExitStack, afterword: Afterword) -> None:
    for frame, body in (("Content-Length: 2", b"{}"), ("Transfer-Encoding: chunked", chunks(b"{}", 1))):
        raw = request(afterword, b"", frame, headers=unsigned()) + body
        status, whole = read_response(send(wires, afterword, raw * 2 + b"no HTTP\r\n\r\n"))
        assert status == 401
        assert whole.count(b"HTTP/1.1 401") == 2
        assert whole.count(b"\r\nConnection: keep-alive\r\n") == 2


def test_client_that_reads_no_response_is_disconnected(afterword: Afterword) -> None:
    get = f"GET /s/nothing HTTP/1.1\r\nHost: {urlsplit(afterword.url).netloc}\r\n\r\n".encode()

    def keep_sending(wire: socket.socket) -> None:
        while True:
            wire.sendall(get * 100)

    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(60)
        wire.connect(("127.0.0.1", afterword.port))
        with pytest.raises(ConnectionError):
            keep_sending(wire)


def test_endless_requests_of_a_client_do_not_delay_others(wires: ExitStack, afterword: Afterword) -> None:
    """A greenlet that always finds the next request in its buffer never yields."""
    get = f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(afterword.url).netloc}\r\n\r\n".encode() * 50
    is_over = Event()

    def keep_sending(wire: socket.socket) -> None:
        while not is_over.is_set():
            wire.sendall(get)
        wire.shutdown(socket.SHUT_RDWR)

    def keep_reading(wire: socket.socket) -> None:
        while wire.recv(2**20):
            pass

    # So many that each worker gets some.
    many = [wires.enter_context(connect(afterword)) for _ in range(8)]
    for wire in many:
        # Otherwise megabytes of requests would wait in its buffer, and the test would end minutes later.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ThreadPoolExecutor(2 * len(many)) as threads, ThreadPoolExecutor(20) as others:
        begun = [threads.submit(act, wire) for wire in many for act in (keep_sending, keep_reading)]
        try:
            # In parallel, because a machine under load needs seconds for each. So many that both workers get some.
            healthy = others.map(lambda _: requests.get(f"{afterword.url}/healthz", timeout=120).ok, range(20))
            assert all(healthy)
            assert not any(each.done() for each in begun)
        finally:
            is_over.set()


def test_small_chunks_with_long_lines_are_refused(wires: ExitStack, afterword: Afterword) -> None:
    head = request(afterword, b"", "Transfer-Encoding: chunked", headers=unsigned())
    long = (b"1" + b";a" * 4000 + b"\r\na\r\n") * 200
    assert b"411" in send_all(wires, afterword, head + long + b"0\r\n\r\n")


def stall(wires: ExitStack, web: Afterword) -> None:
    for _ in range(6):
        send(wires, web, request(web, b"", "Content-Length: 100", headers=unsigned()) + b"{")


def test_terminated_worker_does_not_wait_for_a_stalled_body(wires: ExitStack, web: Afterword) -> None:
    """The other worker serves ordinary requests meanwhile."""
    gunicorn = psutil.Process(web._running["web"].pid)
    stall(wires, web)
    port = urlsplit(web.url).port
    # A process that is still starting would lose the signal.
    old = eventually(lambda: next((each for each in gunicorn.children() if count_connections(each, port)), None))
    assert old
    old.terminate()

    def has_ended() -> bool:
        assert requests.get(f"{web.url}/healthz", timeout=10).ok
        return not old.is_running()

    eventually(has_ended)
    eventually(lambda: len(gunicorn.children()) == 2)
    assert "graceful timeout" not in web.log


def test_hup_replaces_workers_with_stalled_bodies(wires: ExitStack, web: Afterword) -> None:
    """`make bench` measures the latency of other requests."""
    gunicorn = psutil.Process(web._running["web"].pid)
    stall(wires, web)
    old = gunicorn.children()
    gunicorn.send_signal(signal.SIGHUP)

    def are_replaced() -> bool:
        assert requests.get(f"{web.url}/healthz", timeout=30).ok
        return not any(each.is_running() for each in old)

    eventually(are_replaced)
    assert "graceful timeout" not in web.log
