"""The requests of the load generator, as bytes, and the conversations that they are about.

A conversation follows from its number alone, so the stand-in for Dixa's API knows it without having been told.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import urlencode
from uuid import UUID

from service.sandbox.dixa.model import Conversation, Organization, Person, Queue
from service.sandbox.dixa.webhooks import closed_event, sign
from tests.processes import WEBHOOK_SECRET

_CUSTOMERS = 0x6932614F_550C_4942_98B9_000000000000
_AGENT = Person("Camille Laurent", "camille@nordlys.example", id="58781084-442f-4192-89c8-2b129fad96b0")
_QUEUE = Queue("Returns", id="d3263206-1df4-420e-8a72-f33f92f0d8ae")
_ORGANIZATION = Organization(id="8d48be09-0458-475c-8bb9-92269291c370")

numbers = count(1_000_000)
"""The numbers of new conversations. Each is used once in a process."""


def conversation(number: int) -> Conversation:
    """Return a closed conversation with a customer of its own."""
    closed_at = datetime.now(UTC)
    return Conversation(
        id=number,
        channel="Email",
        requester=Person(
            "Ida Holm", f"ida+{number}@example.com", f"+452{number:07}", id=str(UUID(int=_CUSTOMERS + number))
        ),
        agent=_AGENT,
        queue=_QUEUE,
        state="Closed",
        language="en",
        subject="The Fjell jacket is too small",
        created_at=closed_at - timedelta(minutes=16),
        state_updated_at=closed_at,
        closed_at=closed_at,
    )


def close_event(number: int) -> bytes:
    """Return the body of a conversation's `CONVERSATION_CLOSED`."""
    return json.dumps(closed_event(conversation(number), _ORGANIZATION)).encode()


def webhook(number: int, port: int) -> bytes:
    """Return the signed webhook of a conversation's close."""
    body = close_event(number)
    return _request("POST", "/webhooks/dixa", port, body, **sign(body, WEBHOOK_SECRET))


def webhooks(port: int, length: int) -> list[bytes]:
    """Return webhooks of new conversations."""
    return [webhook(next(numbers), port) for _ in range(length)]


def pages(tokens: Iterable[str], port: int) -> Iterator[bytes]:
    """Yield a GET of each survey page."""
    return (_request("GET", f"/s/{token}", port) for token in tokens)


def forms(tokens: Iterable[str], port: int) -> Iterator[bytes]:
    """Yield an answer to each survey."""
    body = urlencode({"rating": "4", "comment": "Quick, and friendly. The new size fits."}).encode()
    given = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    return (_request("POST", f"/s/{token}", port, body, **given) for token in tokens)


def _request(method: str, path: str, port: int, body: bytes = b"", **headers: str) -> bytes:
    given = {"Host": f"127.0.0.1:{port}", "Accept": "*/*", "User-Agent": "bench"} | headers
    if body:
        given["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
