"""`POST /webhooks/dixa`: each response in docs/architecture, and the record after it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from service.sandbox.dixa.webhooks import sign
from service.web.app import create_app
from service.web.services import Services
from tests.polling import eventually, soon
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET, RedisServer, settings_for

PATH = "/webhooks/dixa"
OTHER_SECRET = "00ff" * 8


@pytest.fixture(scope="module")
def client(redis_url: str) -> FlaskClient:
    return make_client(redis_url)


@pytest.fixture
def keys(redis_url: str) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    yield client
    client.close()


def make_client(redis_url: str, **environ: str) -> FlaskClient:
    return create_app(settings_for(redis_url, **environ)).test_client()


_last_id = 70_000


def closed(**conversation: Any) -> dict[str, Any]:
    """Make an event of Dixa's about a new conversation."""
    global _last_id  # noqa: PLW0603
    _last_id += 1
    return {
        "event_id": f"0b0f3f0e-6f0c-4b52-9d0a-{_last_id:012}",
        "event_fqn": "CONVERSATION_CLOSED",
        "event_version": "1",
        "event_timestamp": datetime.now(UTC).isoformat(),
        "organization": {"id": "5b9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10", "name": "Nordlys Outdoor"},
        "data": {
            "conversation": {
                "csid": _last_id,
                "channel": "EMAIL",
                "status": "CLOSED",
                "direction": "INBOUND",
                "requester": {"id": "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90", "name": "Ida Holm"},
                "assignee": {"id": "7e3c2a10-5d4b-4c6a-8b1f-9f2d0e6c4b51", "name": "Mads Lund"},
                "tags": [],
            }
            | conversation
        },
    }


def id_of(event: dict[str, Any]) -> int:
    number: int = event["data"]["conversation"]["csid"]
    return number


def send(client: FlaskClient, event: object, secret: str = WEBHOOK_SECRET, **headers: str) -> tuple[int, Any]:
    """Send a signed event. A body that isn't bytes is dumped as JSON."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    response = client.post(PATH, base_url=PUBLIC_URL, data=body, headers=sign(body, secret) | headers)
    assert response.mimetype == "application/json"
    assert response.json
    return response.status_code, response.json


def test_close_is_accepted_and_saved(client: FlaskClient, keys: "redis.Redis") -> None:
    event = closed()
    assert send(client, event) == (202, {"status": "accepted"})
    record = keys.hgetall(f"afterword:survey:{id_of(event)}")
    assert record["offer_state"] == "waiting"
    assert keys.zscore("afterword:due:offer", str(id_of(event)))


def test_repeated_event_is_a_duplicate(client: FlaskClient, keys: "redis.Redis") -> None:
    event = closed()
    send(client, event)
    record = keys.hgetall(f"afterword:survey:{id_of(event)}")
    assert send(client, event) == (200, {"status": "duplicate"})
    assert keys.hgetall(f"afterword:survey:{id_of(event)}") == record


def test_skipped_close_is_accepted_with_reason(client: FlaskClient, keys: "redis.Redis") -> None:
    event = closed(tags=["spam"])
    assert send(client, event) == (202, {"status": "accepted"})
    assert keys.hget(f"afterword:survey:{id_of(event)}", "offer_reason") == "tag_excluded"


SENDERS = """
[[survey]]
name = "one"
[survey.sender]
email = "returns@northwind.example"
[survey.sender.da]
reply_to = "Retur <retur@northwind.example>"
[survey.brand]
support_url = "mailto:ret@northwind.example"
"""


@pytest.mark.parametrize(
    "address",
    [
        *("survey@northwind.example", "HELP@northwind.example", "returns@northwind.example", "retur@northwind.example"),
        *("desk@northwind.example", "ret@northwind.example"),
        *("no-reply@shop.example", "MAILER-DAEMON", "noreply@my_host.example", "não-responda@shop.example"),
    ],
)
def test_automated_or_own_address_is_skipped_and_not_saved(
    redis_url: str, keys: "redis.Redis", tmp_path: Path, address: str
) -> None:
    surveys = tmp_path / "surveys.toml"
    surveys.write_text(SENDERS, encoding="utf-8")
    ours = {
        "MAIL_FROM": "Northwind <survey@northwind.example>",
        "MAIL_REPLY_TO": "help@northwind.example",
        "SUPPORT_URL": "mailto:desk@northwind.example?subject=Hi",
    }
    client = make_client(redis_url, SURVEYS_FILE=str(surveys), **ours)
    event = closed(requester={"id": "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90", "email": address})
    assert send(client, event) == (202, {"status": "accepted"})
    record = keys.hgetall(f"afterword:survey:{id_of(event)}")
    assert record["offer_reason"] == "machine"
    assert address.casefold() not in json.dumps(record, ensure_ascii=False).casefold()


@pytest.mark.parametrize("name", ["CONVERSATION_OPEN", "CONVERSATION_RATED", "TOMORROW"])
def test_other_event_is_ignored(client: FlaskClient, keys: "redis.Redis", name: str) -> None:
    event = closed() | {"event_fqn": name}
    assert send(client, event) == (200, {"status": "ignored", "event": name})
    assert not keys.exists(f"afterword:survey:{id_of(event)}")


CHANGES = {
    "CONVERSATION_OPEN": ("cancelled", "reopened"),
    "CONVERSATION_PENDING": ("cancelled", "reopened"),
    "CONVERSATION_RATED": ("skipped", "already_surveyed"),
}


def change_of(event: dict[str, Any], name: str, *, minutes: int = 1) -> dict[str, Any]:
    """Make an event about the same conversation, this long after its close."""
    moment = datetime.fromisoformat(event["event_timestamp"]) + timedelta(minutes=minutes)
    return event | {"event_id": f"{name}-{id_of(event)}", "event_fqn": name, "event_timestamp": moment.isoformat()}


@pytest.mark.parametrize("name", CHANGES)
def test_change_that_ends_survey_is_accepted_once(client: FlaskClient, keys: "redis.Redis", name: str) -> None:
    event = closed()
    send(client, event)
    assert send(client, change_of(event, name)) == (202, {"status": "accepted"})
    record = keys.hgetall(f"afterword:survey:{id_of(event)}")
    assert (record["offer_state"], record["offer_reason"]) == CHANGES[name]
    assert keys.zscore("afterword:due:offer", str(id_of(event))) is None
    assert send(client, change_of(event, name)) == (200, {"status": "ignored", "event": name})
    assert keys.hgetall(f"afterword:survey:{id_of(event)}") == record


@pytest.mark.parametrize("name", CHANGES)
def test_change_before_close_is_ignored(client: FlaskClient, keys: "redis.Redis", name: str) -> None:
    event = closed()
    send(client, event)
    assert send(client, change_of(event, name, minutes=-1)) == (200, {"status": "ignored", "event": name})
    assert keys.hget(f"afterword:survey:{id_of(event)}", "offer_state") == "waiting"


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("data", [{}, {"conversation": {"csid": "x"}}, None])
def test_change_of_unknown_conversation_is_ignored(client: FlaskClient, name: str, data: object) -> None:
    event = closed() | {"event_fqn": name, "data": data}
    assert send(client, event) == (200, {"status": "ignored", "event": name})


@pytest.mark.parametrize("name", CHANGES)
def test_change_during_outage_is_applied_later(own_redis: RedisServer, tmp_path: Path, name: str) -> None:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    event = closed()
    send(client, event)
    own_redis.stop()
    waiting: Services = client.application.extensions["afterword"]
    assert waiting.spool
    waiting.spool.prepare()
    assert send(client, change_of(event, name)) == (202, {"status": "accepted"})
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    waiting.records.ping()
    assert waiting.spool.drain(waiting.intake.take_spooled) == 1
    record = waiting.records.load(str(id_of(event)))
    assert record
    assert (record.offer.state, record.offer.reason) == CHANGES[name]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "body"),
        (b"{}", "body.event_fqn"),
        (b'{"event_fqn": "CONVERSATION_CLOSED"}', "body.data"),
        (b'{"event_fqn": "CONVERSATION_CLOSED", "data": {"conversation": {}}}', "body.data.conversation.csid"),
    ],
)
def test_invalid_event_is_400_with_reason(client: FlaskClient, body: bytes, problem: str) -> None:
    status, response = send(client, body)
    assert (status, response["status"]) == (400, "rejected")
    assert problem in response["problem"]


def test_wrong_key_is_401(client: FlaskClient, keys: "redis.Redis") -> None:
    event = closed()
    status, response = send(client, event, OTHER_SECRET)
    assert (status, response["status"]) == (401, "rejected")
    assert "keys" in response["problem"]
    assert not keys.exists(f"afterword:survey:{id_of(event)}")


def test_changed_body_is_401(client: FlaskClient) -> None:
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET)
    assert client.post(PATH, base_url=PUBLIC_URL, data=body + b" ", headers=headers).status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
def test_old_or_future_signature_is_401(client: FlaskClient, minutes: int) -> None:
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert client.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code == 401


def test_tolerance_can_be_set(redis_url: str) -> None:
    client = make_client(redis_url, WEBHOOK_TOLERANCE="1h")
    body = json.dumps(closed()).encode()
    headers = sign(body, WEBHOOK_SECRET, at=datetime.now(UTC) - timedelta(minutes=59))
    assert client.post(PATH, base_url=PUBLIC_URL, data=body, headers=headers).status_code == 202


def test_several_keys_are_tried(redis_url: str) -> None:
    client = make_client(redis_url, DIXA_WEBHOOK_SECRETS=f"{OTHER_SECRET},{WEBHOOK_SECRET}")
    assert [send(client, closed(), secret)[0] for secret in (OTHER_SECRET, WEBHOOK_SECRET)] == [202, 202]


def test_body_over_256_kib_is_413(client: FlaskClient) -> None:
    body = json.dumps(closed()).encode()
    largest = body + b" " * (256 * 1024 - len(body))
    assert send(client, largest)[0] == 202
    status, response = send(client, largest + b" ")
    assert (status, response["status"]) == (413, "rejected")
    assert "256 KiB" in response["problem"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "é/ü"])
def test_other_type_than_json_is_415(client: FlaskClient, kind: str) -> None:
    status, response = send(client, closed(), **{"Content-Type": kind})
    assert (status, response["status"]) == (415, "rejected")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_spellings_of_json_type_are_accepted(client: FlaskClient, kind: str) -> None:
    assert send(client, closed(), **{"Content-Type": kind})[0] == 202


def test_without_redis_webhook_is_503_with_retry_after(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    events = [closed(), closed()]
    assert send(client, events[0])[0] == 202
    own_redis.stop()
    for event in events:
        status, response = send(client, event)
        assert (status, response["status"]) == (503, "rejected")
    body = json.dumps(events[1]).encode()
    answered = client.post(PATH, base_url=PUBLIC_URL, data=body, headers=sign(body, WEBHOOK_SECRET))
    assert answered.headers["Retry-After"] == "30"
    own_redis.start()
    eventually(lambda: client.get("/readyz").status_code == 200)
    assert [send(client, event)[0] for event in events] == [200, 202]


def test_frozen_redis_delays_webhook_little(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url)
    event = closed()
    assert send(client, closed())[0] == 202

    def refuse() -> None:
        """The first request opens the breaker."""
        assert send(make_client(own_redis.url), event)[0] == 503

    own_redis.freeze()
    soon(refuse, within=2.5)
    own_redis.thaw()
    eventually(lambda: client.get("/readyz").status_code == 200)
    # A webhook with a lost response may have been saved: then it is a duplicate.
    assert send(client, event)[0] in {200, 202}
