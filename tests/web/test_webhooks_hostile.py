"""A hostile webhook is never a 500, and a good webhook after it is accepted."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.sandbox.dixa.webhooks import sign
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET
from tests.web.webhook_client import PATH, closed, id_of, send

ODD: list[Any] = [None, True, False, 0, -1, 1.5, 10**30, 10**400, "", "x", "\0", "\ud800", "é" * 300, [], [None], {}]
ODD += [{"id": []}, {"": {}}, [[[[]]]], "1e9", "48213", " 48213", "٤٨٢١٣", float(2**53)]
FIELDS = ["event_id", "event_fqn", "event_version", "event_timestamp", "organization", "data"]
CONVERSATION = ["csid", "channel", "status", "direction", "queue", "contact_point", "requester", "assignee"]
CONVERSATION += ["subject", "tags", "created_at"]


@pytest.fixture(autouse=True)
def nothing_is_lost(webhooks: FlaskClient, database: redis.Redis) -> Iterator[None]:
    """Check that a good webhook is accepted, and that the record from before is unchanged."""
    before = closed()
    assert send(webhooks, before)[0] == 202
    yield
    after = closed()
    assert send(webhooks, after)[0] == 202
    for event in (before, after):
        assert database.hget(f"afterword:survey:{id_of(event)}", "offer_state") == "waiting"


def post(client: FlaskClient, body: bytes, headers: dict[str, str], **given: Any) -> int:
    response = client.open(PATH, **{"method": "POST", "base_url": PUBLIC_URL, "data": body, "headers": headers} | given)
    if response.status_code != 405:
        assert response.json
    return response.status_code


def signed(body: bytes) -> dict[str, str]:
    return sign(body, WEBHOOK_SECRET)


SIGNATURES = {
    "empty": "",
    "spaces": "   ",
    "non-ascii": "t=1,v1=é",
    "latin-1 digits": "t=²³,v1=" + "a" * 64,
    "arabic digits": "t=\xd9\xa4\xd9\xa8,v1=" + "a" * 64,
    "huge": "t=1,v1=" + "a" * 60_000,
    "huge time": "t=" + "9" * 5000 + ",v1=" + "a" * 64,
    "largest time": "t=" + "9" * 14 + ",v1=" + "a" * 64,
    "negative time": "t=-1,v1=" + "a" * 64,
    "no time": "v1=" + "a" * 64,
    "no signature": "t=1",
    "odd length": "t=1,v1=" + "a" * 63,
    "no hex": "t=1,v1=" + "g" * 64,
    "commas": "," * 900,
    "equals": "=" * 900,
    "quotes": 't="1",v1=\'' + "a" * 64 + "'",
    "percent": "t=%31,v1=%61",
    "thousand signatures": "t=1" + ",v1=aa" * 100,
    "tab": "t=1\tv1=" + "a" * 64,
    "escape": "t=1,v1=\x1b[2J",
}


@pytest.mark.parametrize("header", SIGNATURES.values(), ids=SIGNATURES)
def test_malformed_signature_is_401(webhooks: FlaskClient, header: str) -> None:
    body = json.dumps(closed()).encode()
    headers = {"Content-Type": "application/json", "X-DIXA-SIGNATURE": header}
    assert post(webhooks, body, headers) == 401


def test_missing_signature_is_401(webhooks: FlaskClient) -> None:
    assert post(webhooks, b"{}", {"Content-Type": "application/json"}) == 401


@pytest.mark.parametrize("name", FIELDS)
def test_malformed_field_of_event_is_400(webhooks: FlaskClient, name: str) -> None:
    wanted = {400} if name == "data" else {200, 202} if name != "event_fqn" else {200, 400}
    for value in ODD:
        body = json.dumps(closed() | {name: value}).encode()
        assert post(webhooks, body, signed(body)) in wanted, value


@pytest.mark.parametrize("name", CONVERSATION)
def test_malformed_field_of_conversation_is_400(webhooks: FlaskClient, name: str) -> None:
    """A malformed optional field never refuses the event."""
    for value in ODD:
        body = json.dumps(closed(**{name: value})).encode()
        assert post(webhooks, body, signed(body)) in ({200, 202, 400} if name == "csid" else {202}), value


BODIES: dict[str, Callable[[], bytes]] = {
    "deep lists": lambda: b"[" * 100_000,
    "deep objects": lambda: b'{"data":' * 20_000,
    "deep and whole": lambda: json.dumps(closed()).encode()[:-1] + b', "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "giant number": lambda: b'{"event_fqn": ' + b"9" * 100_000 + b"}",
    "infinity": lambda: b'{"event_fqn": 1e999}',
    "nan": lambda: b'{"event_fqn": NaN}',
    "gzip": lambda: gzip.compress(json.dumps(closed()).encode()),
    "utf-16": lambda: json.dumps(closed()).encode("utf-16"),
    "bom": lambda: b"\xef\xbb\xbf" + json.dumps(closed()).encode(),
    "latin-1": lambda: b'{"event_fqn": "\xe9"}',
    "nul": lambda: b"\0" * 100,
    "raw surrogate": lambda: b'{"event_fqn": "\xed\xa0\x80"}',
    "key twice": lambda: b'{"event_fqn": "A", "event_fqn": "CONVERSATION_CLOSED"}',
    "two documents": lambda: json.dumps(closed()).encode() * 2,
    "a text": lambda: b'"CONVERSATION_CLOSED"',
    "null": lambda: b"null",
    "xml": lambda: b"<event/>",
    "form": lambda: b"event_fqn=CONVERSATION_CLOSED",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_malformed_body_is_400(webhooks: FlaskClient, body: Callable[[], bytes]) -> None:
    raw = body()
    assert post(webhooks, raw, signed(raw)) == 400


def test_compressed_body_is_not_decompressed(webhooks: FlaskClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert post(webhooks, bomb, signed(bomb) | {"Content-Encoding": "gzip"}) == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_other_method_is_refused(webhooks: FlaskClient, method: str) -> None:
    body = json.dumps(closed()).encode()
    assert post(webhooks, body, signed(body), method=method) == 405


HOSTS = [
    "evil.example",
    "survey.northwind.example.evil.example",
    "é.example",
    "a b",
    "",
    "[",
    "[::1",
    "x" * 5000,
    "@",
    ".",
    "survey.northwind.example..",
]


@pytest.mark.parametrize("host", HOSTS)
def test_other_host_is_400(webhooks: FlaskClient, host: str) -> None:
    body = json.dumps(closed()).encode()
    response = webhooks.post(PATH, base_url=PUBLIC_URL, data=body, headers=signed(body) | {"Host": host})
    assert response.status_code == 400


STRANGE = {
    "X-DIXA-SUBSCRIPTION-ID": "not a uuid é\x07",
    "Authorization": "Basic \xff\xfe",
    "Cookie": "a=b; " * 500,
    "X-Forwarded-For": "'; DROP TABLE surveys; --",
    "X-Forwarded-Host": "evil.example",
    "Content-Encoding": "br",
    "Accept": "text/html",
    "Expect": "nothing",
    "Range": "bytes=0-0",
    "X-HTTP-Method-Override": "DELETE",
    "Sec-Fetch-Site": "cross-site",
    "Origin": "null",
}


@pytest.mark.parametrize("name", STRANGE)
def test_unknown_header_changes_nothing(webhooks: FlaskClient, name: str) -> None:
    body = json.dumps(closed()).encode()
    assert post(webhooks, body, signed(body) | {name: STRANGE[name]}) == 202


@pytest.mark.parametrize("query", ["a=\r\nSet-Cookie: a=b", "%0d%0aSet-Cookie:%20a=b", "\xff", "a=" + "x" * 5000])
def test_query_changes_nothing(webhooks: FlaskClient, query: str) -> None:
    body = json.dumps(closed()).encode()
    response = webhooks.post(PATH, base_url=PUBLIC_URL, data=body, headers=signed(body), query_string=query)
    assert response.status_code == 202
    assert "Set-Cookie" not in response.headers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
NAMES = st.sampled_from([*FIELDS, "CONVERSATION_CLOSED", "conversation", *CONVERSATION, "id", "name"])
EVENTS = st.fixed_dictionaries(
    {
        "event_fqn": st.just("CONVERSATION_CLOSED") | JSON,
        "data": st.fixed_dictionaries({"conversation": st.dictionaries(NAMES, JSON) | JSON}) | JSON,
    },
    optional={name: JSON for name in FIELDS if name not in {"event_fqn", "data"}},
)
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


@QUIET
@given(event=EVENTS | JSON)
def test_any_signed_json_is_accepted_or_refused(webhooks: FlaskClient, event: object) -> None:
    body = json.dumps(event).encode()
    assert post(webhooks, body, signed(body)) in {200, 202, 400}


@QUIET
@given(body=st.binary(max_size=500))
def test_any_signed_bytes_are_refused(webhooks: FlaskClient, body: bytes) -> None:
    assert post(webhooks, body, signed(body)) == 400


@QUIET
@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=255)))
def test_any_unsigned_header_is_refused(webhooks: FlaskClient, header: str) -> None:
    headers = {"Content-Type": "application/json", "X-DIXA-SIGNATURE": header}
    assert post(webhooks, b"{}", headers) in {401, 429}
