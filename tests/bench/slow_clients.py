"""The latency of web servers beside 200 clients that send a byte a second, without a proxy.

`python -m tests.bench.slow_clients` prints, for each server, how many of 50 ordinary requests got a response within 5 s
beside the slow clients, and the median latency as a multiple of the median without slow clients. For the server of the
Procfile it prints the longest latency while workers that read stalled bodies were replaced.
"""

import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import requests

from tests.polling import eventually
from tests.processes import BIN, ROOT, Afterword, RedisServer

SLOW = 200
REQUESTS = 50
SERVERS = {
    "gunicorn gthread 2×8": "gunicorn service.web.main:app -k gthread -w 2 --threads 8",
    "gunicorn gevent 2": "gunicorn service.web.main:app -k gevent -w 2",
}
"""Gunicorn finds gunicorn.conf.py itself, which has all other settings."""
STALLED = 6
HEAD = (
    "POST /webhooks/dixa HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    "X-DIXA-SIGNATURE: t={moment},v1={signature}\r\nContent-Length: 5000\r\n\r\n"
)


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
            sys.stdout.write(f"{'a restart by HUP':24} {_cross_a_restart(folder, redis)}\n")
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
    latencies = [took for took in beside if took is not None]
    quick = statistics.median(took for took in alone if took is not None)
    middle = f"{statistics.median(latencies) / quick:.1f} × as long" if latencies else "-"
    return f"{len(latencies)} of {REQUESTS} with a response, {middle}"


def _cross_a_restart(folder: Path, redis: RedisServer) -> str:
    """Replace the Procfile's workers while bodies stall, and send requests until all are replaced."""
    surveys = {"SURVEYS_FILE": str(folder / "surveys.toml")}
    afterword = Afterword(folder, {"REDIS_URL": redis.new_database(), **surveys}).start("web")
    try:
        gunicorn = psutil.Process(afterword._running["web"].pid)
        with ExitStack() as stalled:
            for _ in range(STALLED):
                wire = stalled.enter_context(socket.create_connection(("127.0.0.1", afterword.port)))
                wire.sendall(_head(afterword.port) + b"{")
            old = gunicorn.children()
            gunicorn.send_signal(signal.SIGHUP)
            began, waits = time.monotonic(), []
            while any(each.is_running() for each in old):
                waits.append(_seconds(afterword.url) or 5)
            took = time.monotonic() - began
    finally:
        afterword.stop()
    return (
        f"with {STALLED} stalled bodies in {took:.0f} s; of {len(waits)} requests the slowest took {max(waits):.2f} s"
    )


def _seconds(url: str) -> float | None:
    began = time.perf_counter()
    try:
        requests.get(f"{url}/healthz", timeout=5)
    except requests.RequestException:
        return None
    return time.perf_counter() - began


@contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    """Run clients that are slow in the headers or in the body. A closed connection is opened again."""
    clients = [_begin(port, number) for number in range(SLOW)]
    ended = threading.Event()
    dripping = threading.Thread(target=_drip, args=(clients, port, ended))
    dripping.start()
    try:
        yield
    finally:
        ended.set()
        dripping.join()
        for client in clients:
            client.close()


def _begin(port: int, number: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(_head(port) if number % 2 else _head(port)[:20])
    return client


def _head(port: int) -> bytes:
    """Return the start of a request like Dixa's webhook."""
    moment = int(time.time() * 1000)
    return HEAD.format(port=port, moment=moment, signature="0" * 64).encode()


def _drip(clients: list[socket.socket], port: int, ended: threading.Event) -> None:
    while not ended.wait(1):
        for number, client in enumerate(clients):
            try:
                client.sendall(b"a")
            except OSError:
                client.close()
                clients[number] = _begin(port, number)


if __name__ == "__main__":
    main()
