"""A running sandbox, an API client, and Dixa's description to check every exchange."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.openapi import MISSING, Description


class Client:
    """An API client for valid and invalid requests."""

    def __init__(self, dixa: Sandbox, version: str = "beta") -> None:
        self.dixa = dixa
        self.base = f"{dixa.url}/{version}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = dixa.token

    def get(self, path: str, **given: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=30, **given)

    def post(self, path: str, body: object = None, **given: Any) -> requests.Response:
        return self.session.post(self.base + path, json=body, timeout=30, **given)

    def put(self, path: str, body: object = None) -> requests.Response:
        return self.session.put(self.base + path, json=body, timeout=30)

    def offer(self, number: int, kind: str = "Csat") -> requests.Response:
        return self.post(f"/conversations/{number}/ratings/offer", {"ratingType": kind})

    def offered(self, number: int, kind: str = "Csat") -> str:
        made = self.offer(number, kind)
        assert made.status_code == 201
        rating_id: str = made.json()["data"]["id"]
        return rating_id

    def submit(
        self, number: int, rating_id: str, value: object = 4, kind: str = "Csat", **fields: object
    ) -> requests.Response:
        result = {"_type": kind, "value": value}
        return self.post(f"/conversations/{number}/ratings/{rating_id}/submit", {"ratingResult": result, **fields})


@pytest.fixture(scope="session")
def description() -> Description:
    found = Description.load()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture
def dixa() -> Iterator[Sandbox]:
    """A sandbox without a rate limit."""
    sandbox = Sandbox(SandboxSettings(rate=None, pause_seconds=0.05)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def client(dixa: Sandbox) -> Iterator[Client]:
    """Return a client, and check its exchanges against Dixa's description, if the file exists."""
    client = Client(dixa)
    yield client
    client.session.close()
    if found := Description.load():
        for exchange in dixa.calls:
            found.check(exchange)
