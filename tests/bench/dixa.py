"""A fast stand-in for Dixa's API: the sandbox's calls behind asyncio, in a process of its own.

It knows every conversation by its number, and limits each token as Dixa does. `python -m tests.bench.dixa PORT`.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

import requests

from service.sandbox.dixa.api import VERSIONS, Api
from service.sandbox.dixa.call import Call, DixaResponse
from service.sandbox.dixa.calls import CALLS
from service.sandbox.dixa.faults import Faults
from service.sandbox.dixa.limits import RateLimit
from service.sandbox.dixa.model import Conversation, Message, Result
from service.sandbox.dixa.state import State
from tests.bench import traffic
from tests.polling import eventually
from tests.processes import API_TOKEN, ROOT, free_port

TOKENS = (API_TOKEN, f"{API_TOKEN}-2")
_CONTROL = "/bench"
_ROUTES = [
    (name, method, re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", path))) for name, (method, path, _) in CALLS.items()
]
_LINK = re.compile(r"/s/([\w.-]+)")


@dataclass(slots=True)
class Report:
    """What the API saw. Times are those of the monotonic clock, which all processes share."""

    calls: int = 0
    throttled: int = 0
    called_at: list[float] = field(default_factory=list)
    """The times of the calls that the limit allowed."""
    messages: dict[int, float] = field(default_factory=dict)
    """When the message of each conversation arrived."""
    results: dict[int, float] = field(default_factory=dict)
    tokens: dict[int, str] = field(default_factory=dict)
    """The token in the link of each message."""
    duplicates: int = 0

    @classmethod
    def load(cls, body: Mapping[str, Any]) -> "Report":
        """Read a report from JSON, whose keys are texts."""
        numbered = {
            name: {int(number): value for number, value in body[name].items()}
            for name in ("messages", "results", "tokens")
        }
        return cls(**(dict(body) | numbered))


class _State(State):
    """The state of the sandbox, with every conversation in it."""

    def __init__(self, seen: Report) -> None:
        super().__init__()
        self._seen = seen

    def conversation(self, number: int) -> Conversation:
        if number not in self.conversations:
            self.conversations[number] = traffic.conversation(number)
        return self.conversations[number]

    def add_message(self, number: int, message: Message) -> Message:
        made = super().add_message(number, message)
        self._seen.messages[number] = monotonic()
        if link := _LINK.search(message.value):
            self._seen.tokens[number] = link[1]
        return made

    def submit(self, number: int, *args: Any, **kwargs: Any) -> Result:
        made = super().submit(number, *args, **kwargs)
        self._seen.results[number] = monotonic()
        return made


class _Api:
    """Handles requests: those of Dixa's API, and the bench's own."""

    def __init__(self) -> None:
        self._seen = Report()
        self._state = _State(self._seen)
        self._faults = Faults()
        self._limit = RateLimit(None, 4)
        self._api = Api(self._state, self._faults, self._limit, TOKENS)

    def handle(self, method: str, path: str, token: str, content_type: str, body: bytes) -> DixaResponse:
        if path.startswith(_CONTROL):
            return self._control(path.removeprefix(_CONTROL), body)
        path = path.partition("?")[0].removeprefix(f"/{VERSIONS[0]}")
        for name, its_method, pattern in _ROUTES:
            if method == its_method and (found := pattern.fullmatch(path)):
                return self._call(Call(name, found.groupdict(), body, content_type), token)
        return DixaResponse(404, {"message": "Not found"})

    def _call(self, call: Call, token: str) -> DixaResponse:
        called_at = monotonic()
        self._seen.calls += 1
        response, _ = self._api.handle(call, token)
        assert response, "an outage has a status"
        if response.status == 429:
            self._seen.throttled += 1
        else:
            self._seen.called_at.append(called_at)
        return response

    def _control(self, path: str, body: bytes) -> DixaResponse:
        if path == "/set":
            given = json.loads(body)
            self._limit.rate = given["rate"]
            if given["is_down"]:
                self._faults.outage()
            else:
                self._faults.outage_is_over()
            return DixaResponse(200, {})
        found = self._state.report
        self._seen.duplicates = len(found.second_offers) + len(found.double_submits) + len(found.duplicate_messages)
        if path == "/counts":
            seen = self._seen
            return DixaResponse(
                200, {"calls": seen.calls, "messages": len(seen.messages), "results": len(seen.results)}
            )
        return DixaResponse(200, asdict(self._seen))


class _Connection(asyncio.Protocol):
    def __init__(self, api: _Api) -> None:
        self._api = api
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = b""
        method, path, _ = first.split(" ")
        authorization, content_type = headers.get("authorization", ""), headers.get("content-type", "")
        self._transport.write(_dump(self._api.handle(method, path, authorization, content_type, rest)))


def _dump(response: DixaResponse) -> bytes:
    body = b"" if response.json is None else json.dumps(response.json).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    head = (
        f"HTTP/1.1 {response.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    )
    return head.encode() + body


async def _serve(port: int) -> None:
    api = _Api()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(api), "127.0.0.1", port)
    await server.serve_forever()


class StandIn:
    """The process of the stand-in, as the bench sees it. It starts without a limit."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._state: dict[str, Any] = {"rate": None, "is_down": False}

    @property
    def api_url(self) -> str:
        """The value for `DIXA_API_URL`."""
        return f"http://127.0.0.1:{self._port}/{VERSIONS[0]}"

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", __name__, str(self._port)], cwd=ROOT)
        eventually(self._responds)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
        self._session.close()

    def set_rate(self, rate: float | None) -> None:
        """Limit each token to this rate with a burst of 4, or not at all."""
        self._set(rate=rate)

    def set_down(self, *, is_down: bool) -> None:
        """Let every call fail with 503, or no longer."""
        self._set(is_down=is_down)

    def counts(self) -> Mapping[str, int]:
        """Return the numbers of calls, messages and results."""
        found: Mapping[str, int] = self._send("GET", "/counts")
        return found

    def report(self) -> Report:
        """Return everything that the API saw."""
        return Report.load(self._send("GET", "/report"))

    def _set(self, **given: Any) -> None:
        self._state |= given
        self._send("POST", "/set", self._state)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = f"http://127.0.0.1:{self._port}{_CONTROL}{path}"
        return self._session.request(method, url, json=body, timeout=30).json()

    def _responds(self) -> bool:
        try:
            return bool(self.counts())
        except requests.ConnectionError:
            return False


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Run a stand-in for Dixa's API."""
    made = StandIn()
    made.start()
    try:
        yield made
    finally:
        made.stop()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
