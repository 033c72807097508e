"""A receiver of webhooks as a real HTTP server. It verifies signatures, and fails on request."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_dGhlIHRlc3RzJyBvd24ga2V5IGZvciB3ZWJob29rcw=="
DROP = 0
"""Instead of a status: read the request and close the connection."""


@dataclass(frozen=True, slots=True)
class Post:
    """A request. `id` is the webhook's id if the signature was valid."""

    path: str
    body: dict[str, Any]
    status: int
    headers: dict[str, str]
    id: str | None = None


class Receiver:
    """The requests received, and the next statuses by path. The default is 204."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.posts: list[Post] = []
        self.next: dict[str, list[int]] = defaultdict(list)
        self.held = Event()
        self.held.set()

    def of(self, path: str) -> list[Post]:
        """Return all requests for a path."""
        return [post for post in self.posts if post.path == path]

    def taken(self, path: str) -> list[Post]:
        """Return the requests with a 2xx response."""
        return [post for post in self.of(path) if 200 <= post.status < 300]

    def take(self, path: str, headers: dict[str, str], raw: bytes) -> int:
        status = self.next[path].pop(0) if self.next[path] else 204
        webhook_id = headers.get("webhook-id")
        if webhook_id is not None:
            Webhook(SECRET).verify(raw, headers)
        self.posts.append(Post(path, json.loads(raw), status, headers, webhook_id))
        self.held.wait()
        return status


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver: Receiver

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take(self.path, {name.lower(): value for name, value in self.headers.items()}, raw)
            if status == DROP:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.held.set()
            server.shutdown()
            thread.join()
