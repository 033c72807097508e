"""The sandbox's search by closing time, and its queues."""

from datetime import timedelta
from typing import Any

import pytest

from service.sandbox.dixa.model import iso, now
from service.sandbox.server import Sandbox
from tests.sandbox.conftest import Client


def closed(hours: int = 1, **more: Any) -> dict[str, Any]:
    """Return a search for conversations closed in the last hours."""
    since, until = now() - timedelta(hours=hours), now() + timedelta(seconds=1)
    between = {"_type": "Between", "timestampFrom": iso(since), "timestampTo": iso(until)}
    field = {"_type": "ClosedDate", "operator": between | more}
    return {"filters": {"strategy": "All", "conditions": [{"field": field}]}}


def ids(response: Any) -> list[int]:
    return [hit["id"] for hit in response.json()["data"]]


def test_search_returns_closed_conversations_latest_first(dixa: Sandbox, client: Client) -> None:
    first, second, old = (dixa.make_conversation(state="Closed") for _ in range(3))
    dixa.make_conversation()
    dixa.conversation(old).closed_at = now() - timedelta(hours=2)
    dixa.close(first)
    assert ids(client.post("/search/conversations", closed())) == [first, second]
    assert ids(client.post("/search/conversations", closed(3))) == [first, second, old]
    dixa.reopen(second)
    assert ids(client.post("/search/conversations", closed())) == [first, second]


def test_pages_are_linked_by_key(dixa: Sandbox, client: Client) -> None:
    made = [dixa.make_conversation(state="Closed") for _ in range(5)]
    found: list[int] = []
    path = "/search/conversations?pageLimit=2"
    for size in (2, 2, 1):
        response = client.post(path, closed())
        assert len(ids(response)) == size
        found += ids(response)
        path = response.json().get("meta", {}).get("next", "").removeprefix("/beta").replace("/?", "?")
    assert (sorted(found), path) == (made, "")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filters": {"strategy": "All", "conditions": []}},
        closed(_type="Since"),
        closed(timestampTo="now"),
        {"filters": {"strategy": "All", "conditions": [{"field": {"_type": "Channel"}}]}},
    ],
)
def test_unknown_filters_are_refused(client: Client, body: object) -> None:
    assert client.post("/search/conversations", body).status_code == 400


@pytest.mark.parametrize("key", ["x", "AAAA", "cGFnZT14"])
def test_an_invalid_page_key_is_refused(client: Client, key: str) -> None:
    assert client.post(f"/search/conversations?pageKey={key}", closed()).status_code in {200, 400}
    assert client.post("/search/conversations?pageLimit=0", closed()).status_code == 400


def test_queues_have_names(dixa: Sandbox, client: Client) -> None:
    dixa.make_conversation(queue="Returns")
    assert [queue["name"] for queue in client.get("/queues").json()["data"]] == ["Returns"]
