"""How web servers do beside 200 clients that send a byte a second, with no proxy in front.

`python -m tests.bench.slow_clients` prints, for each server, how many of 50 ordinary requests it answered within 5 s
beside the slow ones, and how long the middle one took, as a multiple of the same server's with no slow clients.
"""

import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.polling import eventually
from tests.running import BIN, ROOT, Afterword, RedisServer

SLOW = 200
REQUESTS = 50
SERVERS = {
    "gunicorn gthread 2×8": "gunicorn service.web.main:app -k gthread -w 2 --threads 8 --no-control-socket",
    "gunicorn gevent 2": "gunicorn service.web.main:app -k gevent -w 2 --no-control-socket",
}
HEAD = b"POST /webhooks/dixa HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"


def main() -> None:
    """Measure each server in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        redis = RedisServer(folder)
        redis.start()
        try:
            for server, command in SERVERS.items():
                sys.stdout.write(f"{server:24} {_measure(folder, redis, command)}\n")
                sys.stdout.flush()
        finally:
            redis.stop()


def _measure(folder: Path, redis: RedisServer, command: str) -> str:
    surveys = folder / "surveys.toml"
    surveys.write_text("[[survey]]\n")
    afterword = Afterword(folder, {"REDIS_URL": redis.new_database(), "SURVEYS_FILE": str(surveys)})
    log = (folder / "bench.log").open("ab")
    environ = afterword._environ
    process = subprocess.Popen(
        [BIN / shlex.split(command)[0], *shlex.split(command)[1:]], cwd=ROOT, env=environ, stdout=log, stderr=log
    )
    try:
        eventually(lambda: _seconds(afterword.url) is not None)
        alone = [_seconds(afterword.url) for _ in range(REQUESTS)]
        with _slow_clients(afterword.port):
            beside = [_seconds(afterword.url) for _ in range(REQUESTS)]
    finally:
        process.terminate()
        process.wait(40)
        log.close()
    answered = [took for took in beside if took is not None]
    quick = statistics.median(took for took in alone if took is not None)
    middle = f"{statistics.median(answered) / quick:.1f} × as long" if answered else "-"
    return f"{len(answered)} of {REQUESTS} answered, {middle}"


def _seconds(url: str) -> float | None:
    began = time.perf_counter()
    try:
        requests.get(f"{url}/healthz", timeout=5)
    except requests.RequestException:
        return None
    return time.perf_counter() - began


@contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    """Half of them are slow in the headers, half in the body."""
    head = HEAD % f"127.0.0.1:{port}".encode()
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]
    for number, client in enumerate(clients):
        client.sendall(head if number % 2 else head[:20])
    ended = threading.Event()
    dripping = threading.Thread(target=_drip, args=(clients, ended))
    dripping.start()
    try:
        yield
    finally:
        ended.set()
        dripping.join()
        for client in clients:
            client.close()


def _drip(clients: list[socket.socket], ended: threading.Event) -> None:
    while not ended.wait(1):
        for client in clients:
            try:
                client.sendall(b"a")
            except OSError:
                continue


if __name__ == "__main__":
    main()
