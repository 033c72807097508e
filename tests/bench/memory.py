"""The memory of a web worker without recycling, after each tenth of 200,000 requests.

`python -m tests.bench.memory` prints it. The requests are pages, webhooks and responses, accepted and refused.
"""

import json
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import psutil

from service.sandbox.dixa.webhooks import sign
from service.surveys.links import Link, Links
from tests.fuzz.inside import OFFERS
from tests.polling import eventually
from tests.processes import BIN, ROOT, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer

REQUESTS = 200_000
TENTHS = 10
CONCURRENCY = 8
FORM = "application/x-www-form-urlencoded"


def main() -> None:
    """Send the requests, eight at once, and print the worker's memory after each tenth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = RedisServer(folder)
        redis.start()
        surveys = folder / "surveys.toml"
        surveys.write_text("[[survey]]\n")
        afterword = Afterword(folder, {"REDIS_URL": redis.new_database(), "SURVEYS_FILE": str(surveys)})
        command = [f"{BIN}/gunicorn", "service.web.main:app", "-w", "1"]
        with (folder / "web.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=afterword._environ, stdout=log, stderr=log)
        try:
            afterword._running["web"] = process
            eventually(afterword._is_up)
            _measure(psutil.Process(process.pid).children()[0], afterword)
        finally:
            process.terminate()
            process.wait(40)
            redis.stop()


def _measure(worker: psutil.Process, afterword: Afterword) -> None:
    cases = _cases(afterword)
    responses: Counter[int] = Counter()
    with ThreadPoolExecutor(CONCURRENCY) as senders:
        for tenth in range(1, TENTHS + 1):
            lots = [list(islice(cases, REQUESTS // TENTHS // CONCURRENCY)) for _ in range(CONCURRENCY)]
            for seen in senders.map(lambda lot: _send(afterword.port, lot), lots):
                responses += seen
            size = worker.memory_info().rss / 2**20
            sys.stdout.write(f"{tenth * REQUESTS // TENTHS:9,} requests: {size:6.1f} MB, {worker.num_fds()} handles\n")
            sys.stdout.flush()
    sys.stdout.write(f"responses: {dict(sorted(responses.items()))}\n")


def _cases(afterword: Afterword) -> Iterator[bytes]:
    links = Links([SECRET_KEY], afterword.url)
    head = f"HTTP/1.1\r\nHost: 127.0.0.1:{afterword.port}\r\n"

    def post(path: str, body: bytes, **headers: str) -> bytes:
        given = headers | {"Content-Length": str(len(body))}
        return (
            f"POST {path} {head}".encode()
            + b"".join(f"{name}: {value}\r\n".encode() for name, value in given.items())
            + b"\r\n"
            + body
        )

    number = 0
    while True:
        number += 1
        token = links.sign(Link(str(number), number, "default", OFFERS[:1]))
        event = {"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {"csid": number, "channel": "EMAIL"}}}
        body = json.dumps(event).encode()
        form = b"rating=4&comment=" + b"%C3%A6" * 500
        yield f"GET /s/{token} {head}\r\n".encode()
        yield f"GET /s/{token}?r=3&lang=da {head}Accept-Encoding: gzip\r\n\r\n".encode()
        yield f"GET /s/{token[:-4]}xxxx {head}\r\n".encode()
        yield post("/webhooks/dixa", body, **sign(body, WEBHOOK_SECRET))
        yield post("/webhooks/dixa", body, **sign(body + b" ", WEBHOOK_SECRET))
        yield post(f"/s/{token}", form, **{"Content-Type": FORM})
        yield post(f"/s/{token}", b"rating=9", **{"Content-Type": FORM})
        yield f"GET /readyz {head}\r\n".encode()


def _send(port: int, requests: list[bytes]) -> Counter[int]:
    """Send the requests in turn. Reconnect when the server closes the connection."""
    responses: Counter[int] = Counter()
    wire = None
    for each in requests:
        if wire is None:
            wire = socket.create_connection(("127.0.0.1", port), timeout=60)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.sendall(each)
        head, _, rest = _read_until(wire, b"\r\n\r\n").partition(b"\r\n\r\n")
        responses[int(head.split(b" ", 2)[1])] += 1
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        missing = int(names.get(b"content-length", b"0")) - len(rest)
        while missing > 0:
            missing -= len(wire.recv(65536))
        if names.get(b"connection") == b"close":
            wire.close()
            wire = None
    if wire:
        wire.close()
    return responses


def _read_until(wire: socket.socket, end: bytes) -> bytes:
    found = b""
    while end not in found:
        found += (more := wire.recv(65536))
        assert more, "the server closed the connection"
    return found


if __name__ == "__main__":
    main()
