"""The survey page and its form: how many a second, how long each takes, and what it costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import requests

from tests.bench.bench import SURVEYS, Bench
from tests.bench.costs import cpu_seconds
from tests.bench.delivered import running_delivered
from tests.bench.dixa import stand_in
from tests.bench.load import Load, drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer, BarePages, Server
from tests.bench.traffic import forms, pages, webhooks

CONNECTIONS = 32
SECONDS = 3.0
_SURVEYS = 400
_MAX_ANSWERS = 12
"""Answers to each survey in a round. All but the first of them change one. The web refuses more than 300 a minute."""

_EDITABLE = '[[survey]]\ndelay = "0s"\neditable_for = "1h"\nsuspect_editable_for = "1h"\n'


@dataclass(frozen=True, slots=True)
class Run:
    """One round of a server."""

    load: Load
    cpu_us: float


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the figures of the page against a bare page of its size, and of the form against webhooks."""
    with stand_in() as dixa:
        surveys = {"SURVEYS_FILE": bench.surveys(_EDITABLE), "DIXA_API_URL": dixa.api_url, "DIXA_PACE": "1000/100"}
        afterword = AfterwordServer(bench.new_folder(), bench.redis, **surveys)
        with running_delivered(afterword, dixa, _SURVEYS) as found:
            tokens = list(found.values())
    size = _page_bytes(afterword, tokens[0])

    def page() -> Run:
        return _run(afterword, cycle(list(pages(tokens, afterword.port))), 200)

    def bare_page() -> Run:
        bare = BarePages(bench.new_folder(), bench.redis)
        return _run(bare, cycle(pages([str(size)], bare.port)), 200)

    def form() -> Run:
        return _run(afterword, iter(list(forms(tokens, afterword.port)) * _MAX_ANSWERS), 303)

    def webhook() -> Run:
        server = AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(SURVEYS))
        return _run(server, iter(webhooks(server.port, _SURVEYS * _MAX_ANSWERS)), 202)

    runs = bench.interleave({"page": page, "bare": bare_page})
    name = f"bare page of {size:,} bytes"
    ours, bare = runs["page"], runs["bare"]
    yield Figure("page GETs", [r.load.rate for r in ours], "/s", name, [r.load.rate for r in bare], "≥ 0.25 ×")
    yield Figure("CPU a page", [r.cpu_us for r in ours], "µs", name, [r.cpu_us for r in bare])
    p99 = [r.load.latency_ms(0.99) for r in ours]
    yield Figure("page, p99, 32 connections", p99, "ms", name, [r.load.latency_ms(0.99) for r in bare], "≤ 30 ms")
    runs = bench.interleave({"form": form, "webhook": webhook})
    ours, theirs = runs["form"], runs["webhook"]
    rates = [r.load.rate for r in theirs]
    yield Figure("form POSTs", [r.load.rate for r in ours], "/s", "webhooks", rates, "≥ 0.7 ×")
    yield Figure("CPU a form", [r.cpu_us for r in ours], "µs", "a webhook", [r.cpu_us for r in theirs])


def _page_bytes(server: AfterwordServer, token: str) -> int:
    server.start()
    try:
        response = requests.get(f"{server.url}/s/{token}", headers={"Accept-Encoding": "identity"}, timeout=30)
        assert response.ok
        return len(response.content)
    finally:
        server.stop()


def _run(server: Server, requests: Iterator[bytes], status: int) -> Run:
    server.start()
    try:
        drive(server.port, (next(requests) for _ in range(CONNECTIONS * 5)), connections=CONNECTIONS)
        before = cpu_seconds(*server.pids)
        load = drive(server.port, requests, connections=CONNECTIONS, seconds=SECONDS).require(status)
        return Run(load, 1e6 * (cpu_seconds(*server.pids) - before) / len(load.latencies))
    finally:
        server.stop()
