"""`SENTRY_DSN`: the errors of web and worker reach Sentry, and nothing that the log may not hold."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
import redis
import requests

from service.sandbox.dixa.webhooks import sign
from service.sandbox.server import Sandbox
from service.surveys.links import Link, Links
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from tests.integration.conftest import QUICK
from tests.polling import eventually
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer
from tests.web.webhook_client import closed

PASSWORD = "kumquat-of-redis-0123456789"
ADDRESS = "zebediah@quistgaard.example"
COMMENT = "Fuldstændig uovertruffen betjening"
COOKIE, REFERER, AGENT = "cookie-of-a-browser", "https://intranet.example/xanadu", "Ouagadougou/1.0"
NUMBER = 48_213
BROKEN = f'{{"requester_id": "{ADDRESS}", "comment": "{COMMENT}'
"""A part of a record that can't be read. The error's text quotes it."""


class Ingest:
    """What Sentry's ingest has received: whole requests, and the events in them."""

    def __init__(self) -> None:
        self.raw = b""
        self.events: list[dict[str, Any]] = []

    def take(self, head: str, body: bytes) -> None:
        self.raw += head.encode() + body
        for line in body.splitlines():
            found = json.loads(line)
            if "event_id" in found and "level" in found:
                self.events.append(found)

    def of(self, server_name: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["server_name"] == server_name]


@contextmanager
def ingesting() -> Iterator[tuple[str, Ingest]]:
    """Run an ingest, and yield its DSN."""
    ingest = Ingest()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            coding = self.headers["Content-Encoding"]
            ingest.take(f"{self.path}\n{self.headers}", gzip.decompress(body) if coding == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://0123456789abcdef@127.0.0.1:{server.server_port}/1", ingest
        finally:
            server.shutdown()
            thread.join()


def close(afterword: Afterword) -> None:
    """Close a conversation, and break its record, which is due."""
    body = json.dumps(closed(csid=NUMBER)).encode()
    assert requests.post(afterword.webhook_url, body, headers=sign(body, WEBHOOK_SECRET), timeout=30).status_code == 202
    with redis.Redis.from_url(afterword.redis_url) as client:
        client.hset(f"afterword:survey:{NUMBER}", mapping={"close": BROKEN, "offer_due": 1})
        client.zadd("afterword:due:offer", {str(NUMBER): 1})


def visit(link: str) -> None:
    """Open the page and post a form, as a browser that sends much about itself."""
    headers = {"Cookie": f"session={COOKIE}", "Referer": REFERER, "User-Agent": AGENT, "X-Forwarded-For": "192.0.2.77"}
    opened = requests.get(link, params={"r": "4", "note": ADDRESS}, headers=headers, timeout=30)
    posted = requests.post(link, {"rating": "4", "comment": COMMENT}, headers=headers, timeout=30)
    assert (opened.status_code, posted.status_code) == (500, 500)


@pytest.fixture
def reported(own_redis: RedisServer, dixa: Sandbox, tmp_path: Path) -> Iterator[tuple[Ingest, str, Afterword]]:
    """Errors of web and worker, the latter also without Redis."""
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("requirepass", PASSWORD)
    url = own_redis.url.replace("//", f"//:{PASSWORD}@")
    with ingesting() as (dsn, ingest):
        environ = QUICK | {"REDIS_URL": url, "DIXA_API_URL": dixa.api_url, "SENTRY_DSN": dsn}
        afterword = Afterword(tmp_path, environ).start("web")
        try:
            survey = Link(
                str(NUMBER), NUMBER, "default", (Offer(RatingType.CSAT, "0e2f8a44-8a7e-4f0e-9a57-0c1f6f0f2a90"),)
            )
            link = Links([SECRET_KEY], afterword.url).url(survey)
            close(afterword)
            visit(link)
            afterword.start("worker")
            eventually(lambda: [each for each in ingest.of("worker") if each["message"] == "task.failed"])
            own_redis.stop()
            eventually(lambda: [each for each in ingest.of("worker") if "Cannot connect" in each["message"]])
            eventually(lambda: len(ingest.of("web")) > 1)
        finally:
            afterword.stop()
        yield ingest, link, afterword


def test_errors_reach_sentry_without_what_the_log_may_not_hold(reported: tuple[Ingest, str, Afterword]) -> None:
    ingest, link, afterword = reported
    token = link.rpartition("/")[2]
    hidden = [
        PASSWORD,
        ADDRESS,
        COMMENT,
        COOKIE,
        REFERER,
        AGENT,
        "192.0.2.77",
        token,
        API_TOKEN,
        WEBHOOK_SECRET,
        SECRET_KEY,
    ]
    spellings = {spelling for each in hidden for spelling in (each, json.dumps(each)[1:-1], quote(each))}
    sent = ingest.raw.decode()
    assert [each for each in spellings if each in sent] == []
    assert [each for each in spellings if each in afterword.log] == []
    allowed = {"event_id", "timestamp", "platform", "level", "release", "server_name", "sdk"}
    allowed |= {"logger", "message", "extra", "exception"}
    assert {name for each in ingest.events for name in each} <= allowed
    [failed] = [each for each in ingest.of("worker") if each["message"] == "task.failed"][:1]
    assert failed["extra"]["survey_id"] == str(NUMBER)
    frames = failed["exception"]["values"][-1]["stacktrace"]["frames"]
    assert {"run"} <= {frame["function"] for frame in frames}
    assert {name for frame in frames for name in frame} <= {"filename", "function", "module", "lineno", "in_app"}
    assert [each for each in ingest.of("web") if "/s/***" in each["message"]]
