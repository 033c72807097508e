"""Sends bytes that no HTTP client would send to the web process of the Procfile."""

import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

import requests

from service.sandbox.dixa.webhooks import sign
from service.surveys.links import Link, Links
from tests.fuzz import corpus
from tests.fuzz.inside import OFFERS
from tests.processes import SECRET_KEY, WEBHOOK_SECRET, Afterword

_CONCURRENCY = 16
_TIMEOUT_SECONDS = 5
_REFUSED_BY_GUNICORN = {501, 505}
"""The statuses for unknown transfer codings and versions of HTTP."""

HEADS = [
    b"GET / HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nHost: %h\r\nX: \0\r\n\r\n",
    b"GET /%s HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET /s/%s\xff\xfe HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET /s/a\r\nb HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET http://evil.example/s/%s HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: %h\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\nHost: evil.example\r\n\r\n",
    b"GET /s/a HTTP/1.1\r\n\r\n",
    b"GET /s/a HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\n folded: yes\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\nX y: z\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\n: z\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\n" + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %h\r\nX: a\nY: b\r\n\r\n",
    b"CONNECT / HTTP/1.1\r\nHost: %h\r\n\r\n",
    b"B\xc3\xa9 / HTTP/1.1\r\nHost: %h\r\n\r\n",
]
FRAMES = [
    b"Content-Length: %n\r\n\r\n%b",
    b"Content-Length: %n\r\nContent-Length: %n\r\n\r\n%b",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n%b",
    b"Content-Length: -1\r\n\r\n%b",
    b"Content-Length: +5\r\n\r\n%b",
    b"Content-Length: 99999999999999999999\r\n\r\n%b",
    b"Content-Length: \xd9\xa4\r\n\r\n%b",
    b"Content-Length: 9999999\r\n\r\n%b",
    b"Content-Length: 3\r\n\r\n%b",
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\nTrailer: x\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n%x\r\n%b\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n%b\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\n%b\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n%b",
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b",
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%bX0\r\n\r\n",
    b"Transfer-Encoding: gzip\r\n\r\n%b",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n%b",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n%b",
    b"Expect: 100-continue\r\nContent-Length: %n\r\n\r\n%b",
    b"Expect: the worst\r\nContent-Length: %n\r\n\r\n%b",
    b"Connection: close, X-DIXA-SIGNATURE\r\nContent-Length: %n\r\n\r\n%b",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: %n\r\n\r\n%b",
    b"%b",
]


class Wire:
    """Sends bytes, at once or one by one, and reads the status of the response, if any."""

    def __init__(self, afterword: Afterword, seed: int) -> None:
        self._afterword = afterword
        self._chance = Random(seed)
        self.responses: Counter[int] = Counter()
        self.unexpected: list[str] = []
        self.token = Links([SECRET_KEY], afterword.url).sign(Link("99", 99, "default", OFFERS[:1]))
        self.hidden = {self.token}

    def send(self, count: int) -> None:
        """Send this many cases, several at a time. Afterwards a valid request must succeed."""
        with ThreadPoolExecutor(_CONCURRENCY) as senders:
            for sent, status in senders.map(self._exchange, [self._case() for _ in range(count)]):
                self.responses[status] += 1
                if status >= 500 and status not in _REFUSED_BY_GUNICORN:
                    self.unexpected.append(f"{status} to {sent[:300]!r}")
        if not requests.get(f"{self._afterword.url}/healthz", timeout=5).ok:
            self.unexpected.append("a valid request failed")

    def _case(self) -> tuple[bytes, bool]:
        """Return the bytes, and whether to send them one by one."""
        way = self._chance.random()
        if way < 0.3:
            raw = self._chance.choice(HEADS).replace(b"%s", self.token.encode())
        else:
            raw = self._webhook() if way < 0.6 else self._form()
        raw = raw.replace(b"%h", f"127.0.0.1:{self._afterword.port}".encode())
        if self._chance.random() < 0.15:
            raw = corpus.spoil_bytes(raw, self._chance)
        return raw, self._chance.random() < 0.1

    def _webhook(self) -> bytes:
        body = json.dumps({"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {"csid": 7}}}).encode()
        signed = sign(body, WEBHOOK_SECRET)
        self.hidden.add(signed["X-DIXA-SIGNATURE"].rpartition("=")[2])
        headers = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        return b"POST /webhooks/dixa HTTP/1.1\r\nHost: %h\r\n" + headers.encode() + self._framed(body)

    def _form(self) -> bytes:
        body = corpus.form(self._chance, ("rating", "comment"))
        if self._chance.random() < 0.05:
            body = b"rating=4&comment=" + corpus.MARK.encode() * 150_000
        head = f"POST /s/{self.token} HTTP/1.1\r\nHost: %h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        return head.encode() + self._framed(body)

    def _framed(self, body: bytes) -> bytes:
        frame = self._chance.choice(FRAMES) if self._chance.random() < 0.8 else FRAMES[0]
        frame = frame.replace(b"%n", b"%d" % len(body)).replace(b"%x", b"%x" % len(body))
        return frame.replace(b"%b", body)

    def _exchange(self, case: tuple[bytes, bool]) -> tuple[bytes, int]:
        sent, is_slow = case
        try:
            with socket.create_connection(("127.0.0.1", self._afterword.port), timeout=_TIMEOUT_SECONDS) as connection:
                if is_slow:
                    for at in range(20):
                        connection.sendall(sent[at : at + 1])
                        Event().wait(0.01)
                    sent = sent[20:]
                connection.sendall(sent)
                # End the body for a server that waits for the rest.
                connection.shutdown(socket.SHUT_WR)
                return case[0], _status(connection.recv(4096))
        except OSError:
            return case[0], 0


def _status(response: bytes) -> int:
    parts = response.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() else 0
