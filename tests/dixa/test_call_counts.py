"""Calls to Dixa are counted by outcome, each once."""

from contextlib import suppress
from datetime import timedelta

import pytest

from service.dixa.call_counts import CallCounts, CallOutcome
from service.dixa.client import DixaClient
from service.sessions import new_session
from service.surveys.errors import CallError
from service.surveys.ports import Deadline, Slot
from tests.dixa.raw import RawServer, response
from tests.dixa.test_transport import AlwaysChecked, NoPace
from tests.processes import API_TOKEN, free_port

GOOD = b'{"data": []}'


def count(url: str) -> dict[str, int]:
    """Return the counts after one call."""
    counts = CallCounts()
    client = DixaClient(new_session("afterword/1.2.3"), url, NoPace(), AlwaysChecked(), counts=counts)
    with suppress(CallError):
        client.ratings(Slot(API_TOKEN, Deadline(timedelta(seconds=20))), 7)
    return dict(counts.totals())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("200 OK", CallOutcome.OK),
        ("302 Found", CallOutcome.ERROR),
        ("404 Not Found", CallOutcome.REFUSED),
        ("407 Proxy Authentication Required", CallOutcome.ERROR),
        ("408 Request Timeout", CallOutcome.ERROR),
        ("409 Conflict", CallOutcome.REFUSED),
        ("429 Too Many Requests", CallOutcome.RATE_LIMITED),
        ("500 Internal Server Error", CallOutcome.ERROR),
        ("503 Service Unavailable", CallOutcome.ERROR),
    ],
)
def test_a_response_counts_by_its_status(status: str, outcome: CallOutcome) -> None:
    with RawServer([response(status, GOOD)]) as server:
        assert count(server.url) == {outcome: 1}


def test_a_maintenance_page_is_unreadable() -> None:
    with RawServer([response("200 OK", b"<h1>Back soon</h1>")]) as server:
        assert count(server.url) == {CallOutcome.UNREADABLE: 1}


def test_a_call_without_a_response_counts() -> None:
    assert count(f"http://127.0.0.1:{free_port()}/beta") == {CallOutcome.NO_RESPONSE: 1}


def test_the_check_of_a_refused_token_is_a_call_too() -> None:
    with RawServer([response("403 Forbidden", b"{}")]) as server:
        assert count(server.url) == {CallOutcome.UNAUTHORIZED: 2}
        assert len(server.requests) == 2
